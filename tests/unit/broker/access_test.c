/* SPDX-License-Identifier: Apache-2.0 */
/* Users and access rules: who comes in, what is denied, what a newer table changes. Each script runs
 * over several numbers of shards, with a log in memory and with one that is kept. */
#include "access/password.h"
#include "base/mem.h"
#include "kit/play.h"
#include "kit/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	set.hold_back_ms_max = 0;
	return 0;
}

/* "lena:secret olaf:pass" as a password file. */
static struct users *users_of(const char *pairs)
{
	static const uint8_t salt[PASSWORD_SALT_BYTES] = "salt";
	const struct password_cost cost = {.iterations = 1};
	struct access_report report = {.file = "users"};
	struct buffer text = {0};
	char name[32], password[32], stored[PASSWORD_STORED_MAX], line[600];
	int used;
	for (; sscanf(pairs, " %31[^:]:%31s%n", name, password, &used) == 2; pairs += used) {
		assert_int_equal(password_store(PASSWORD_PBKDF2, &cost, salt,
						span_of_text(password), stored),
				 0);
		int len = snprintf(line, sizeof(line), "%s:%s\n", name, stored);
		assert_int_equal(buffer_append(&text, span_of(line, (size_t)len)), 0);
	}
	struct users *users = users_read(buffer_content(&text), 7, &report);
	buffer_release(&text);
	access_report_release(&report);
	return users;
}

static struct access *access_of(const char *users, const char *acl, bool allows_anonymous)
{
	struct access_report report = {.file = "acl"};
	struct access *a = access_new(1);
	a->realms[0].allows_anonymous = allows_anonymous;
	a->realms[0].users = users ? users_of(users) : NULL;
	a->realms[0].acl = acl ? acl_read(span_of_text(acl), 7, &report) : NULL;
	assert_int_equal(a->realms[0].acl == NULL, acl == NULL);
	access_finish(a);
	return a;
}

struct stage {
	struct play play;
	struct kept_store *store; /* NULL: a log in memory */
};

static void stage_start(struct stage *st, unsigned shards, bool is_kept)
{
	memset(st, 0, sizeof(*st));
	play_start(&st->play, &set, shards, 7, 0);
	if (!is_kept)
		return;
	st->store = kept_store_new();
	struct broker *b = st->play.kit.broker;
	struct log_kept *log = log_kept_new(st->store, 1 << 16, NULL, broker_committed, b);
	broker_use_log(b, log_kept_log(log));
}

/* What the log says is what is there, whatever was denied. */
static void stage_stop(struct stage *st)
{
	if (st->store) {
		char *live = kit_state(&st->play.kit);
		replay_check(st->store, &set, st->play.kit.now, live);
		mem_free(live);
		kept_store_free(st->store);
	}
	play_finish(&st->play);
	assert_int_equal(mem_count_live(), 0);
}

/* "m@2/6": packet id 2 where ids follow each other, 5 where they follow from a log that is kept. */
static void choose_ids(const char *script, bool is_kept, char *out, size_t room)
{
	size_t len = 0;
	while (*script) {
		assert_true(len + 1 < room);
		if (script[0] == '@') {
			out[len++] = is_kept ? script[3] : script[1];
			script += 4;
		} else {
			out[len++] = *script++;
		}
	}
	out[len] = '\0';
}

/* The rules, then the script; then other rules and another script, when there are any. */
struct act {
	const char *users, *acl;
	bool allows_anonymous;
	const char *script;
};

static void perform(const struct act *acts, size_t count, bool is_one_shard)
{
	static const unsigned shard_counts[] = {1, 2, 5};
	size_t rounds = is_one_shard ? 2 : 2 * ARRAY_COUNT(shard_counts);
	static struct stage st;
	char script[4096];
	for (size_t i = 0; i < rounds; i++) {
		stage_start(&st, shard_counts[i / 2], i % 2);
		for (size_t j = 0; j < count; j++) {
			struct access *a =
				access_of(acts[j].users, acts[j].acl, acts[j].allows_anonymous);
			struct broker *b = st.play.kit.broker;
			if (j == 0)
				assert_int_equal(broker_use_access(b, a), 0);
			else
				broker_change_access(b, a);
			play_settle(&st.play); /* each shard has it from its next turn on */
			choose_ids(acts[j].script, i % 2, script, sizeof(script));
			play_lines(&st.play, script);
		}
		stage_stop(&st);
	}
}

#define PERFORM(...)                                                                               \
	do {                                                                                       \
		const struct act acts[] = {__VA_ARGS__};                                           \
		perform(acts, ARRAY_COUNT(acts), false);                                           \
	} while (0)
#define PERFORM_ALONE(...)                                                                         \
	do {                                                                                       \
		const struct act acts[] = {__VA_ARGS__};                                           \
		perform(acts, ARRAY_COUNT(acts), true);                                            \
	} while (0)

static void test_access_users_come_in(void **state)
{
	(void)state;
	PERFORM({"lena:secret olaf:pass", NULL, false,
		 "a > CONNECT v5 id=a clean name=lena pass=secret\na < CONNACK 00\n"
		 "b > CONNECT v4 id=b clean name=olaf pass=pass\nb < CONNACK 00\n"
		 /* what comes along waits until it is known who it is */
		 "c + CONNECT v5 id=c clean name=lena pass=secret\nc > SUBSCRIBE m1 f=t\n"
		 "c < CONNACK 00\nc < SUBACK m1 00\n"
		 "a > PUBLISH t=t p=1\nc < PUBLISH q0 t=t p=1\n"});
}

/* [5] 3.2.2.2: 0x86 and 0x87; 3.1 and 3.1.1: 4 and 5. */
static void test_access_others_do_not(void **state)
{
	(void)state;
	PERFORM({"lena:secret", NULL, false,
		 "a > CONNECT v5 id=a clean name=lena pass=Secret\na < CONNACK 86\na < closed\n"
		 "b > CONNECT v5 id=b clean name=olaf pass=secret\nb < CONNACK 86\nb < closed\n"
		 "c > CONNECT v5 id=c clean name=lena\nc < CONNACK 86\nc < closed\n"
		 "d > CONNECT v5 id=d clean\nd < CONNACK 87\nd < closed\n"
		 "e > CONNECT v4 id=e clean name=lena pass=x\ne < CONNACK 04\ne < closed\n"
		 "f > CONNECT v3 id=f clean name=x pass=x\nf < CONNACK 04\nf < closed\n"
		 "g > CONNECT v4 id=g clean\ng < CONNACK 05\ng < closed\n"
		 "h + CONNECT v5 id=h clean name=lena pass=x\nh > PINGREQ\nh < CONNACK 86\n"
		 "h < closed\n"});
	PERFORM({NULL, NULL, false,
		 "a > CONNECT v5 id=a clean name=lena pass=secret\na < CONNACK 87\na < closed\n"});
}

/* Nobody who fails to come in takes over the session of who is there. */
static void test_access_no_take_over_without_password(void **state)
{
	(void)state;
	PERFORM({"lena:secret", NULL, false,
		 "a > CONNECT v5 id=a clean name=lena pass=secret\na < CONNACK 00\n"
		 "b > CONNECT v5 id=a clean name=lena pass=wrong\nb < CONNACK 86\nb < closed\n"
		 "a > PINGREQ\na < PINGRESP\n"});
}

static void test_access_publish_denied(void **state)
{
	(void)state;
	PERFORM({NULL, "topic read #\ntopic write w\n", true,
		 "s > CONNECT v5 id=s clean\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=#,q2\ns < SUBACK m1 02\n"
		 "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		 "a > PUBLISH t=x p=1\na < nothing\n"
		 "a > PUBLISH q1 m1 t=x p=1\na < PUBACK m1 rc=87\n"
		 "a > PUBLISH q2 m2 t=x p=1\na < PUBREC m2 rc=87\n"
		 /* the id is free again [MQTT-4.3.3-9] */
		 "a > PUBLISH q2 m2 t=w p=2\na < PUBREC m2\na > PUBREL m2\na < PUBCOMP m2\n"
		 "s < PUBLISH q2 m1 t=w p=2\ns > PUBREC m1\ns < PUBREL m1\ns > PUBCOMP m1\n"
		 "a > PUBLISH q1 m3 retain t=x p=keep\na < PUBACK m3 rc=87\n"
		 "r > CONNECT v5 id=r clean\nr < CONNACK 00\n"
		 "r > SUBSCRIBE m1 f=x\nr < SUBACK m1 00\nr < nothing\n"
		 /* a version that has no word for it [3.1.1 MQTT-3.3.5-2] */
		 "b > CONNECT v4 id=b clean\nb < CONNACK 00\n"
		 "b > PUBLISH q1 m1 t=x p=1\nb < PUBACK m1\n"
		 "b > PUBLISH q2 m2 t=x p=1\nb < PUBREC m2\nb > PUBLISH q2 m2 dup t=x p=1\n"
		 "b < PUBREC m2\nb > PUBREL m2\nb < PUBCOMP m2\n"
		 "s < nothing\n"});
}

static void test_access_subscribe_denied(void **state)
{
	(void)state;
	PERFORM({NULL, "topic read a/+\ntopic deny a/secret\ntopic write #\n", true,
		 "s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=b,q1 f=a/1,q1 f=a/secret f=a/1/#,q1 f=#,q1\n"
		 "s < SUBACK m1 87 01 87 01 01\n" /* a/1/# is a/1 as well */
		 "s > SUBSCRIBE m2 f=$share/g/b f=$share/g/a/2,q1\ns < SUBACK m2 87 01\n"
		 "s > UNSUBSCRIBE m3 f=b\ns < UNSUBACK m3 11\n"
		 "b > CONNECT v4 id=b clean\nb < CONNACK 00\n"
		 "b > SUBSCRIBE m1 f=b f=a/1,q1\nb < SUBACK m1 80 01\n"});
}

/* What a wildcard matches and must not be read does not come, whether its reader is there or not,
 * and takes no room. */
static void test_access_deliveries_are_judged(void **state)
{
	(void)state;
	PERFORM({NULL, "topic read a/#\ntopic deny a/secret\nuser p\ntopic write #\n", true,
		 "p > CONNECT v5 id=p clean name=p\np < CONNACK 00\n"
		 "s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=#,q1\ns < SUBACK m1 01\n"
		 "p > PUBLISH t=a/secret p=0\np > PUBLISH q1 m1 t=a/secret p=1\np < PUBACK m1\n"
		 "p > PUBLISH q1 m2 t=b p=2\np < PUBACK m2\ns < nothing\n"
		 "s cut\n"
		 "p > PUBLISH q1 m3 t=b p=3\np < PUBACK m3\n"
		 "p > PUBLISH q1 m4 t=a/1 p=4\np < PUBACK m4\n"
		 "s > CONNECT v5 id=s expiry=100\ns < CONNACK 00 present\n"
		 "s < PUBLISH q1 m@1/5 t=a/1 p=4\ns > PUBACK m@1/5\n"});
}

/* Alone: among several shards a retained message may come before SUBACK. */
static void test_access_retained_are_judged(void **state)
{
	(void)state;
	PERFORM_ALONE({NULL, "topic read a/#\ntopic deny a/secret\nuser p\ntopic write #\n", true,
		       "p > CONNECT v5 id=p clean name=p\np < CONNACK 00\n"
		       "p > PUBLISH retain q1 m9 t=a/secret p=r\np < PUBACK m9 rc=10\n"
		       "p > PUBLISH retain q1 m9 t=a/open p=r\np < PUBACK m9 rc=10\n"
		       "s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=#,q1\ns < SUBACK m1 01\n"
		       "s < PUBLISH q1 m@1/2 retain t=a/open p=r\ns > PUBACK m@1/2\n"});
}

/* By the rights that their publishers have now, as mosquitto's check_retain_source has it. */
#define RETAINED_SCRIPT(id, codes)                                                                 \
	"s" id " > CONNECT v5 id=s" id " clean name=s pass=s\ns" id " < CONNACK 00\n"              \
	"s" id " > SUBSCRIBE m1 f=+/#\ns" id " < SUBACK m1 00\n" codes
static void test_access_retained_of_who_may_no_longer(void **state)
{
	static const char users[] = "s:s p:p q:q";
	(void)state;
	const struct act acts[] = {
		{users, "user s\ntopic read #\nuser p\ntopic write #\npattern write %c/#\n", false,
		 "p > CONNECT v5 id=p clean name=p pass=p\np < CONNACK 00\n"
		 "p > PUBLISH retain q1 m1 t=a/p p=1\np < PUBACK m1 rc=10\n"
		 "p > PUBLISH retain q1 m1 t=b/p p=2\np < PUBACK m1 rc=10\n"
		 "d > CONNECT v5 id=d clean name=q pass=q\nd < CONNACK 00\n"
		 "d > PUBLISH retain q1 m1 t=d/x p=3\nd < PUBACK m1 rc=10\n" RETAINED_SCRIPT(
			 "1", "s1 < PUBLISH q0 retain t=a/p p=1\ns1 < PUBLISH q0 retain t=b/p p=2\n"
			      "s1 < PUBLISH q0 retain t=d/x p=3\n")},
		{users, "user s\ntopic read #\nuser p\ntopic write a/#\n", false,
		 RETAINED_SCRIPT("2", "s2 < PUBLISH q0 retain t=a/p p=1\ns2 < nothing\n")},
		{users, "user s\ntopic read #\nuser p\ntopic write b/#\npattern write %c/x\n",
		 false,
		 RETAINED_SCRIPT("3", "s3 < PUBLISH q0 retain t=b/p p=2\n"
				      "s3 < PUBLISH q0 retain t=d/x p=3\ns3 < nothing\n")},
		{users, NULL, false,
		 RETAINED_SCRIPT("4", "s4 < PUBLISH q0 retain t=a/p p=1\n"
				      "s4 < PUBLISH q0 retain t=b/p p=2\n"
				      "s4 < PUBLISH q0 retain t=d/x p=3\n")},
	};
	perform(acts, ARRAY_COUNT(acts), true);
	/* not asked: only the reader's rights decide */
	const struct act unasked[] = {
		acts[0],
		{users, "user s\ntopic read #\n", false,
		 RETAINED_SCRIPT("2", "s2 < PUBLISH q0 retain t=a/p p=1\n"
				      "s2 < PUBLISH q0 retain t=b/p p=2\n"
				      "s2 < PUBLISH q0 retain t=d/x p=3\n")},
	};
	set.check_retain_source = false;
	perform(unasked, ARRAY_COUNT(unasked), true);
	set.check_retain_source = true;
}

static void test_access_groups(void **state)
{
	(void)state;
	PERFORM({NULL, "topic read a\ntopic write #\n", true,
		 "s > CONNECT v5 id=s clean\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=$share/g/#,q1\ns < SUBACK m1 01\n"
		 "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		 "p > PUBLISH q1 m1 t=b p=1\np < PUBACK m1\n"
		 "p > PUBLISH q1 m2 t=a p=2\np < PUBACK m2\n"
		 "s < PUBLISH q1 m1 t=a p=2\ns > PUBACK m1\n"});
}

static void test_access_wills(void **state)
{
	(void)state;
	PERFORM({NULL, "topic read #\ntopic write ok\n", true,
		 "s > CONNECT v5 id=s clean\ns < CONNACK 00\ns > SUBSCRIBE m1 f=#\n"
		 "s < SUBACK m1 00\n"
		 "a > CONNECT v5 id=a clean will=ok:1\na < CONNACK 00\n"
		 "b > CONNECT v5 id=b clean will=no:2\nb < CONNACK 00\n"
		 "a cut\ns < PUBLISH q0 t=ok p=1\nb cut\ns < nothing\n"});
}

static void test_access_patterns(void **state)
{
	(void)state;
	PERFORM({"lena:s olaf:s +:s", "pattern readwrite u/%u/#\npattern read c/%c\n", false,
		 "a > CONNECT v5 id=a clean name=lena pass=s\na < CONNACK 00\n"
		 "a > SUBSCRIBE m1 f=u/lena/# f=u/olaf/# f=u/+/x f=c/a f=c/b\n"
		 "a < SUBACK m1 00 87 00 00 87\n"
		 "b > CONNECT v5 id=b clean name=olaf pass=s\nb < CONNACK 00\n"
		 "b > PUBLISH q1 m1 t=u/lena/x p=1\nb < PUBACK m1 rc=87\n"
		 "b > PUBLISH q1 m2 t=u/olaf/x p=1\nb < PUBACK m2\n"
		 "d > CONNECT v5 id=d clean name=lena pass=s\nd < CONNACK 00\n"
		 "d > PUBLISH q1 m1 t=u/lena/x p=1\nd < PUBACK m1\na < PUBLISH q0 t=u/lena/x p=1\n"
		 "c > CONNECT v5 id=c clean name=+ pass=s\nc < CONNACK 00\n"
		 "c > PUBLISH q1 m1 t=u/lena/x p=1\nc < PUBACK m1 rc=87\n"});
}

/* Subscriptions stay; what they bring is what may be read now. What waits is judged when it goes. */
static void test_access_changes_hold_at_once(void **state)
{
	(void)state;
	PERFORM({NULL, "topic read #\ntopic write #\n", true,
		 "s > CONNECT v5 id=s clean expiry=100 rmax=1\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=#,q1\ns < SUBACK m1 01\n"
		 "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		 "p > PUBLISH q1 m1 t=a p=1\np < PUBACK m1\n"
		 "p > PUBLISH q1 m2 t=b p=2\np < PUBACK m2\n"
		 "p > PUBLISH q1 m3 t=c p=3\np < PUBACK m3\n"
		 "s < PUBLISH q1 m@1/2 t=a p=1\n"},
		{NULL, "topic read a\ntopic read c\ntopic write a\n", true,
		 "s > PUBACK m@1/2\ns < PUBLISH q1 m@2/4 t=c p=3\ns > PUBACK m@2/4\n"
		 "p > PUBLISH q1 m4 t=b p=4\np < PUBACK m4 rc=87\n"
		 "p > PUBLISH q1 m4 t=a p=4\np < PUBACK m4\n"
		 "s < PUBLISH q1 m@3/5 t=a p=4\ns > PUBACK m@3/5\n"},
		{NULL, NULL, true,
		 "p > PUBLISH q1 m4 t=b p=5\np < PUBACK m4\n"
		 "s < PUBLISH q1 m@4/6 t=b p=5\ns > PUBACK m@4/6\n"});
}

/* What is not acknowledged does not come again either; a QoS 2 exchange that was begun has its end. */
static void test_access_changes_hold_for_what_comes_again(void **state)
{
	(void)state;
	PERFORM({NULL, "topic read #\ntopic write #\n", true,
		 "s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=#,q2\ns < SUBACK m1 02\n"
		 "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		 "p > PUBLISH q1 m1 t=b p=1\np < PUBACK m1\ns < PUBLISH q1 m@1/2 t=b p=1\n"
		 "p > PUBLISH q1 m2 t=a p=2\np < PUBACK m2\ns < PUBLISH q1 m@2/3 t=a p=2\n"
		 "p > PUBLISH q2 m3 t=c p=3\np < PUBREC m3\np > PUBREL m3\np < PUBCOMP m3\n"
		 "s < PUBLISH q2 m@3/4 t=c p=3\ns cut\n"},
		{NULL, "topic read a\n", true,
		 "s > CONNECT v5 id=s expiry=100\ns < CONNACK 00 present\n"
		 "s < PUBLISH q1 m@2/3 dup t=a p=2\ns > PUBACK m@2/3\n"
		 "s < PUBLISH q2 m@3/4 dup t=c p=3\ns > PUBREC m@3/4\ns < PUBREL m@3/4\n"
		 "s > PUBCOMP m@3/4\ns < nothing\n"});
}

/* Those who are gone or have another password go; nobody else does. */
static void test_access_users_that_are_gone(void **state)
{
	(void)state;
	PERFORM({"lena:a olaf:b ines:c", NULL, true,
		 "l > CONNECT v5 id=l clean name=lena pass=a\nl < CONNACK 00\n"
		 "o > CONNECT v5 id=o clean name=olaf pass=b\no < CONNACK 00\n"
		 "i > CONNECT v4 id=i clean name=ines pass=c\ni < CONNACK 00\n"
		 "n > CONNECT v5 id=n clean\nn < CONNACK 00\n"},
		{"lena:a olaf:B new:d", NULL, true,
		 "o < DISCONNECT 87\no < closed\ni < closed\n"
		 "l > PINGREQ\nl < PINGRESP\nn > PINGREQ\nn < PINGRESP\n"
		 "o > CONNECT v5 id=o clean name=olaf pass=b\no < CONNACK 86\no < closed\n"
		 "o > CONNECT v5 id=o clean name=olaf pass=B\no < CONNACK 00\n"
		 "w > CONNECT v5 id=w clean name=new pass=d\nw < CONNACK 00\n"},
		{"lena:a olaf:B new:d", NULL, false,
		 "n < DISCONNECT 87\nn < closed\nl > PINGREQ\nl < PINGRESP\n"
		 "w > PINGREQ\nw < PINGRESP\no > PINGREQ\no < PINGRESP\n"});
}

/* Without a password file names are what clients say they are, and those that were verified before
 * are as good as any. */
static void test_access_password_file_is_gone(void **state)
{
	(void)state;
	PERFORM({"lena:a", NULL, true,
		 "l > CONNECT v5 id=l clean name=lena pass=a\nl < CONNACK 00\n"},
		{NULL, NULL, true,
		 "m > CONNECT v5 id=m clean name=lena\nm < CONNACK 00\n"
		 "l > PINGREQ\nl < PINGRESP\nl cut\nm > PINGREQ\nm < PINGRESP\n"},
		{"lena:a", NULL, true, "m < DISCONNECT 87\nm < closed\n"});
}

/* What waits for one who has got another password meanwhile, and what it left, is judged by its name
 * in the rules that hold: the same numbers are another's there. */
static void test_access_rules_of_who_is_gone(void **state)
{
	(void)state;
	PERFORM({"lena:a p:p", "user lena\ntopic readwrite #\nuser p\ntopic readwrite #\n", false,
		 "p > CONNECT v5 id=p clean name=p pass=p\np < CONNACK 00\n"
		 "s > CONNECT v5 id=s clean expiry=100 name=lena pass=a\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=#,q1\ns < SUBACK m1 01\ns cut\n"},
		{"lena:b p:p", "topic read x\nuser p\ntopic write #\nuser lena\ntopic read #\n",
		 false,
		 "p > PUBLISH q1 m1 t=a p=1\np < PUBACK m1\n"
		 "s > CONNECT v5 id=s expiry=100 name=lena pass=b\ns < CONNACK 00 present\n"
		 "s < PUBLISH q1 m@1/2 t=a p=1\ns > PUBACK m@1/2\n"});
	PERFORM({"lena:a p:p", "user lena\ntopic write will\nuser p\ntopic readwrite #\n", false,
		 "p > CONNECT v5 id=p clean name=p pass=p\np < CONNACK 00\n"
		 "p > SUBSCRIBE m1 f=#\np < SUBACK m1 00\n"
		 "s > CONNECT v5 id=s clean expiry=100 name=lena pass=a will=will:1 willdelay=10\n"
		 "s < CONNACK 00\ns cut\n"},
		{"lena:b p:p", "user p\ntopic readwrite #\nuser lena\ntopic read #\n", false,
		 "wait 20000\np < nothing\n"});
}

/* Passwords that another thread verifies. */

struct waiting_questions {
	struct login *list[8];
	unsigned count, max;
};

static int keep_question(void *context, struct login *login)
{
	struct waiting_questions *w = context;
	if (w->count == w->max)
		return ERROR_LIMIT;
	w->list[w->count++] = login;
	return 0;
}

static struct waiting_questions questions;

static int verify_later(void *context, struct login *login)
{
	(void)context;
	return keep_question(&questions, login);
}

static void start_with_questions(struct stage *st, unsigned max)
{
	questions = (struct waiting_questions){.max = max};
	stage_start(st, 2, false);
	st->play.kit.verify = verify_later;
	assert_int_equal(broker_use_access(st->play.kit.broker, access_of("lena:s", NULL, false)),
			 0);
}

static void answer_all(struct stage *st)
{
	for (unsigned i = 0; i < questions.count; i++) {
		login_answer(questions.list[i]);
		broker_answer_login(st->play.kit.broker, questions.list[i]);
	}
	questions.count = 0;
	play_settle(&st->play);
}

static void test_access_nothing_is_done_before_the_answer(void **state)
{
	static struct stage st;
	(void)state;
	start_with_questions(&st, 8);
	play_lines(&st.play,
		   "a + CONNECT v5 id=a clean name=lena pass=s\na > PINGREQ\na < nothing\n"
		   "b > CONNECT v5 id=b clean name=lena pass=x\nb < nothing\n");
	assert_int_equal(questions.count, 2);
	answer_all(&st);
	play_lines(&st.play, "a < CONNACK 00\na < PINGRESP\nb < CONNACK 86\nb < closed\n");
	stage_stop(&st);
}

static void test_access_too_many_questions(void **state)
{
	static struct stage st;
	(void)state;
	start_with_questions(&st, 1);
	play_lines(&st.play,
		   "a > CONNECT v5 id=a clean name=lena pass=s\na < nothing\n"
		   "b > CONNECT v5 id=b clean name=lena pass=s\nb < CONNACK 89\nb < closed\n"
		   "c > CONNECT v4 id=c clean name=lena pass=s\nc < CONNACK 03\nc < closed\n");
	answer_all(&st);
	play_lines(&st.play, "a < CONNACK 00\n");
	stage_stop(&st);
}

/* A client that does not wait is forgotten, and its question need not be answered. */
static void test_access_client_leaves_before_the_answer(void **state)
{
	static struct stage st;
	(void)state;
	start_with_questions(&st, 8);
	play_lines(&st.play,
		   "a > CONNECT v5 id=a clean name=lena pass=s\n"
		   "b > CONNECT v5 id=b clean name=lena pass=s\n"
		   "wait 300000\na < CONNACK 89\na < closed\nb < CONNACK 89\nb < closed\n");
	assert_int_equal(questions.count, 2);
	assert_true(atomic_load(&questions.list[0]->is_forgotten));
	broker_answer_login(st.play.kit.broker, questions.list[0]);
	login_free(questions.list[1]); /* its broker ends before it is answered */
	play_settle(&st.play);
	/* the one whose answer never comes stays until the end */
	stage_stop(&st);
}

/* The file is another one by the time of the answer: asked again, by that. */
static void test_access_answer_by_an_older_file(void **state)
{
	static struct stage st;
	(void)state;
	start_with_questions(&st, 8);
	play_lines(&st.play, "a > CONNECT v5 id=a clean name=lena pass=s\na < nothing\n");
	broker_change_access(st.play.kit.broker, access_of("lena:other", NULL, false));
	play_settle(&st.play);
	answer_all(&st);
	play_lines(&st.play, "a < nothing\n");
	assert_int_equal(questions.count, 1);
	answer_all(&st);
	play_lines(&st.play, "a < CONNACK 86\na < closed\n");
	stage_stop(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access_users_come_in),
		cmocka_unit_test(test_access_others_do_not),
		cmocka_unit_test(test_access_no_take_over_without_password),
		cmocka_unit_test(test_access_publish_denied),
		cmocka_unit_test(test_access_subscribe_denied),
		cmocka_unit_test(test_access_deliveries_are_judged),
		cmocka_unit_test(test_access_retained_are_judged),
		cmocka_unit_test(test_access_retained_of_who_may_no_longer),
		cmocka_unit_test(test_access_groups),
		cmocka_unit_test(test_access_wills),
		cmocka_unit_test(test_access_patterns),
		cmocka_unit_test(test_access_changes_hold_at_once),
		cmocka_unit_test(test_access_changes_hold_for_what_comes_again),
		cmocka_unit_test(test_access_users_that_are_gone),
		cmocka_unit_test(test_access_password_file_is_gone),
		cmocka_unit_test(test_access_rules_of_who_is_gone),
		cmocka_unit_test(test_access_nothing_is_done_before_the_answer),
		cmocka_unit_test(test_access_too_many_questions),
		cmocka_unit_test(test_access_client_leaves_before_the_answer),
		cmocka_unit_test(test_access_answer_by_an_older_file),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
