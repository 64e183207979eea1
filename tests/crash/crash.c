/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker that is killed at random moments, over one store, while clients that know exactly what
 * they were promised are at work; and what they were promised must come true:
 *
 *     what was acknowledged arrives, QoS 2 once, in order; sessions, subscriptions, retained
 *     messages and wills are there again; what was taken back is not
 *
 *     crash [options] PROGRAM     a nightjar, or Debian's mosquitto to try the test itself
 *
 * A dead process leaves what it wrote in the system's memory. Whether it was written through, only
 * --power-cut shows (powercut.c).
 */
#include "broker.h"
#include "kept.h"
#include "load.h"
#include "stress/random.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 60000
#define SETTLE_EVERY 10 /* rounds */

struct crash {
	struct broker broker;
	struct load load;
	uint64_t seed;
	uint64_t random; /* of the deaths, apart from that of the clients */
	unsigned rounds;
	unsigned round_ms;
	uint64_t kills, early_kills, kills_in_start, kills_in_end, orderly_ends;
	uint64_t start_ms_max;
};

static bool is_broker_well(void *context)
{
	struct broker *b = context;
	return b->pid > 0 && !broker_has_ended(b);
}

static void wait_us(uint32_t us)
{
	nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

static bool kill_broker(struct crash *c)
{
	c->kills++;
	if (broker_kill(&c->broker))
		return true;
	ledger_violation(&c->load.world.ledger, "the power cut could not be made");
	return false;
}

/* Recovery that is cut off, several times over. */
static bool die_while_starting(struct crash *c)
{
	unsigned times = 1 + random_below(&c->random, 3);
	for (unsigned i = 0; i < times; i++) {
		broker_spawn(&c->broker);
		wait_us(random_below(&c->random, 30000));
		c->kills_in_start++;
		if (!kill_broker(c))
			return false;
	}
	return true;
}

static enum broker_start start(struct crash *c)
{
	uint64_t before = load_now_ms();
	broker_spawn(&c->broker);
	enum broker_start result = broker_wait_start(&c->broker, START_MS);
	uint64_t took = load_now_ms() - before;
	if (took > c->start_ms_max)
		c->start_ms_max = took;
	if (result == BROKER_RUNS)
		channels_set_port(c->broker.port);
	return result;
}

static bool end_in_order(struct crash *c)
{
	struct load *l = &c->load;
	c->orderly_ends++;
	broker_ask_to_end(&c->broker);
	load_drain(l);
	if (broker_wait_end(&c->broker))
		return true;
	ledger_violation(&l->world.ledger, "the broker did not end well on SIGTERM");
	broker_show_log(&c->broker);
	broker_kill(&c->broker);
	return false;
}

/* How a round ends: mostly without warning. */
static bool end_broker(struct crash *c)
{
	uint32_t chance = random_below(&c->random, 100);
	c->load.world.is_broker_ending = true;
	if (c->broker.is_volatile)
		return true;
	if (chance < 10)
		return end_in_order(c);
	if (chance < 22) {
		c->kills_in_end++;
		broker_ask_to_end(&c->broker);
		wait_us(random_below(&c->random, 20000));
	}
	bool is_good = kill_broker(c);
	load_drain(&c->load);
	return is_good;
}

static uint64_t round_ms(struct crash *c)
{
	if (random_percent(&c->random, 12)) {
		c->early_kills++;
		return random_below(&c->random, 25);
	}
	return random_below(&c->random, 2 * c->round_ms);
}

static bool is_running_or_started(struct crash *c)
{
	if (c->broker.pid > 0)
		return true;
	if (random_percent(&c->random, 20) && c->broker.starts > 0 && !die_while_starting(c))
		return false;
	if (start(c) == BROKER_RUNS)
		return true;
	ledger_violation(&c->load.world.ledger, "the broker does not start again");
	broker_show_log(&c->broker);
	return false;
}

static bool run_round(struct crash *c, unsigned round)
{
	struct load *l = &c->load;
	load_next_round(l);
	if (!is_running_or_started(c))
		return false;
	kept_check(&l->world.ledger, c->broker.port, l->kept_streams);
	if (round == 0 && !load_begin(l))
		return false;
	if (!load_run(l, round_ms(c)))
		return false;
	if (round % SETTLE_EVERY == SETTLE_EVERY - 1 && !load_settle(l))
		return false;
	return end_broker(c);
}

static void run_rounds(struct crash *c)
{
	struct ledger *l = &c->load.world.ledger;
	unsigned round = 0;
	while (round < c->rounds && l->violations == 0 && run_round(c, round))
		round++;
	if (round < c->rounds) {
		ledger_violation(l, "given up in round %u", round);
		return;
	}
	load_next_round(&c->load);
	if (!is_running_or_started(c))
		return;
	kept_check(l, c->broker.port, c->load.kept_streams);
	if (load_settle(&c->load)) {
		c->load.world.is_broker_ending = true;
		end_in_order(c);
	}
}

static void report(const struct crash *c)
{
	const struct world *w = &c->load.world;
	const struct ledger *l = &w->ledger;
	printf("seed %lu: %u rounds, %lu kills (%lu early, %lu while starting, %lu while ending), "
	       "%lu orderly ends, slowest start %lu ms; %lu published, %lu acknowledged, %lu "
	       "refused, %lu delivered, %lu again, %lu connects, %lu cuts, %lu take-overs, %lu "
	       "wills due, %lu taken back; %lu violations\n",
	       (unsigned long)c->seed, c->rounds, (unsigned long)c->kills,
	       (unsigned long)c->early_kills, (unsigned long)c->kills_in_start,
	       (unsigned long)c->kills_in_end, (unsigned long)c->orderly_ends,
	       (unsigned long)c->start_ms_max, (unsigned long)l->published,
	       (unsigned long)l->accepted, (unsigned long)l->refused, (unsigned long)l->delivered,
	       (unsigned long)l->repeated, (unsigned long)w->connects, (unsigned long)w->cuts,
	       (unsigned long)w->take_overs, (unsigned long)c->load.wills_due,
	       (unsigned long)c->load.wills_taken_back, (unsigned long)l->violations);
}

static int usage(void)
{
	fputs("usage: crash [options] PROGRAM\n"
	      "  --rounds N       (20)\n"
	      "  --seed S         (1)\n"
	      "  --shards K       (4)\n"
	      "  --clients N      (48)\n"
	      "  --rate N         actions a second (6000)\n"
	      "  --round-ms N     mean length of a round (400)\n"
	      "  --folder DIR     for store and log; kept (default: a new one, removed if all is "
	      "well)\n"
	      "  --setting LINE   for the broker's configuration; may be given several times\n"
	      "  --power-cut LIBRARY,PROGRAM\n"
	      "  --volatile       no store and no crash: tries the test itself\n",
	      stderr);
	return 1;
}

static void add_setting(struct crash *c, const char *line)
{
	static char settings[2048];
	size_t len = strlen(settings);
	snprintf(settings + len, sizeof(settings) - len, "%s\n", line);
	c->broker.settings = settings;
}

static bool set_power_cut(struct crash *c, char *text)
{
	char *comma = strchr(text, ',');
	if (!comma)
		return false;
	*comma = '\0';
	c->broker.powercut_library = text;
	c->broker.powercut_apply = comma + 1;
	return true;
}

static bool read_arguments(struct crash *c, int argc, char **argv)
{
	static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
						{"seed", required_argument, NULL, 's'},
						{"shards", required_argument, NULL, 'h'},
						{"clients", required_argument, NULL, 'n'},
						{"rate", required_argument, NULL, 'a'},
						{"round-ms", required_argument, NULL, 'm'},
						{"folder", required_argument, NULL, 'f'},
						{"setting", required_argument, NULL, 'o'},
						{"power-cut", required_argument, NULL, 'p'},
						{"volatile", no_argument, NULL, 'v'},
						{NULL, 0, NULL, 0}};
	for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
		switch (letter) {
		case 'r': c->rounds = (unsigned)number; break;
		case 's': c->seed = number; break;
		case 'h': c->broker.shards = optarg; break;
		case 'n': c->load.client_count = (unsigned)number; break;
		case 'a': c->load.actions_per_second = (unsigned)number; break;
		case 'm': c->round_ms = (unsigned)number; break;
		case 'f': c->broker.folder = optarg; break;
		case 'o': add_setting(c, optarg); break;
		case 'p':
			if (!set_power_cut(c, optarg))
				return false;
			break;
		case 'v': c->broker.is_volatile = true; break;
		default: return false;
		}
	}
	return optind == argc - 1 && c->rounds > 0 && c->round_ms > 0;
}

static void prepare(struct crash *c, const char *program)
{
	const char *name = strrchr(program, '/');
	c->broker.program = program;
	c->broker.is_mosquitto = strcmp(name ? name + 1 : program, "mosquitto") == 0;
	c->random = c->broker.powercut_seed = c->seed;
	c->load.world.random = c->seed ^ UINT64_C(0x6e696768746a6172);
	c->load.is_broker_well = is_broker_well;
	c->load.context = &c->broker;
	broker_prepare(&c->broker);
	channels_init(0);
	load_init(&c->load);
}

static bool remove_folder(const char *folder)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", folder, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

int main(int argc, char **argv)
{
	char fresh[] = "/tmp/nightjar-crash-XXXXXX";
	struct crash c = {.broker = {.shards = "4", .settings = ""},
			  .load = {.client_count = 48, .actions_per_second = 6000},
			  .seed = 1,
			  .rounds = 20,
			  .round_ms = 400};
	if (!read_arguments(&c, argc, argv))
		return usage();
	signal(SIGPIPE, SIG_IGN);
	bool is_fresh = !c.broker.folder;
	if (is_fresh)
		c.broker.folder = mkdtemp(fresh);
	ASSERT(c.broker.folder);
	prepare(&c, argv[optind]);
	enum broker_start first = start(&c);
	if (first == BROKER_RUNS)
		run_rounds(&c);
	else
		broker_show_log(&c.broker);
	report(&c);
	bool is_good = first == BROKER_RUNS && c.load.world.ledger.violations == 0 &&
		       c.load.world.ledger.delivered > 0;
	if (c.broker.pid > 0)
		broker_kill(&c.broker);
	channels_release();
	load_release(&c.load);
	if (is_fresh && is_good)
		remove_folder(c.broker.folder);
	else
		printf("the store and the log are in %s\n", c.broker.folder);
	puts(is_good ? "all is well" : "FAILED");
	return is_good ? 0 : 1;
}
