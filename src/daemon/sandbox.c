/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A refused call comes back to us as SIGSYS in the thread that made it: the handler notes its number,
 * wakes the main thread, which says so, and lets the call return. Where the handler does not know how
 * to let it return (other processors), the kernel does, and nothing is told.
 */
#include "daemon/sandbox.h"

#include "daemon/sandbox_calls.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define WORD_BITS 64
/* Above all numbers there are; Linux gives about ten a year. */
#define NUMBERS_MAX 1024

static atomic_uint_fast64_t refused[NUMBERS_MAX / WORD_BITS];
static uint64_t told[NUMBERS_MAX / WORD_BITS];
static pid_t main_thread; /* before any other is started */

/* Puts what the call gives back where the thread that made it looks. False: no such place is known. */
static bool set_result(ucontext_t *context, long result)
{
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
	context->uc_mcontext.regs[0] = (unsigned long)result;
#else
	(void)context;
	(void)result;
	return false;
#endif
	return true;
}

static bool can_set_result(void)
{
	ucontext_t context;
	return set_result(&context, 0);
}

/* In the midst of anything: it touches nothing but what is safe there (signal-safety(7)). */
static void note(int number, siginfo_t *info, void *context)
{
	(void)number;
	int error = errno;
	unsigned call = (unsigned)info->si_syscall;
	if (call < NUMBERS_MAX)
		atomic_fetch_or(&refused[call / WORD_BITS], UINT64_C(1) << call % WORD_BITS);
	syscall(SYS_tgkill, getpid(), main_thread, SANDBOX_SIGNAL);
	errno = error;
	set_result(context, -ENOSYS);
}

static int hear_of_refusals(void)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
	main_thread = (pid_t)syscall(SYS_gettid);
	return sigaction(SIGSYS, &action, NULL);
}

bool sandbox_take_refused(char name[SANDBOX_NAME_MAX])
{
	for (unsigned i = 0; i < NUMBERS_MAX / WORD_BITS; i++) {
		uint64_t fresh = atomic_load(&refused[i]) & ~told[i];
		if (fresh == 0)
			continue;
		int call = (int)(i * WORD_BITS) + __builtin_ctzll(fresh);
		told[i] |= UINT64_C(1) << (unsigned)call % WORD_BITS;
		char *found = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
		snprintf(name, SANDBOX_NAME_MAX, "%s (%d)", found ? found : "of no name", call);
		free(found);
		return true;
	}
	return false;
}

/* Names that this architecture, or this library, does not know are passed over. */
static int allow_names(scmp_filter_ctx filter, const char *names)
{
	char name[SANDBOX_NAME_MAX];
	int used, error = 0;
	while (error == 0 && sscanf(names, " %63s%n", name, &used) == 1) {
		int call = seccomp_syscall_resolve_name(name);
		names += used;
		if (call != __NR_SCMP_ERROR)
			error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
		if (error == -EDOM || error == -EINVAL)
			error = 0;
	}
	return error;
}

static int allow_values(scmp_filter_ctx filter, int call, unsigned argument, const unsigned *values,
			size_t count)
{
	int error = 0;
	for (size_t i = 0; i < count && error == 0; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
					 SCMP_CMP32(argument, SCMP_CMP_EQ, values[i], 0));
	return error;
}

/* `argument` has none of these bits. */
static int allow_without_bits(scmp_filter_ctx filter, int call, unsigned argument, uint64_t bits)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
				SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, bits, 0));
}

/* Memory is either written or run, never both: libraries are mapped as they are. */
static int allow_memory(scmp_filter_ctx filter)
{
	int error = allow_without_bits(filter, SCMP_SYS(mmap), 2, PROT_WRITE);
	if (error == 0)
		error = allow_without_bits(filter, SCMP_SYS(mmap), 2, PROT_EXEC);
	if (error == 0)
		error = allow_without_bits(filter, SCMP_SYS(mmap2), 2, PROT_WRITE);
	if (error == 0)
		error = allow_without_bits(filter, SCMP_SYS(mmap2), 2, PROT_EXEC);
	if (error == 0)
		error = allow_without_bits(filter, SCMP_SYS(mprotect), 2, PROT_EXEC);
	return error;
}

/* Threads, but no process. What clone3 is asked lies in memory, where a filter cannot look: the C
 * library goes back to clone. It asks with all signals held back, so that this must not be SIGSYS. */
static int allow_threads(scmp_filter_ctx filter)
{
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return error;
}

/* Signals to itself (abort), its own limits. */
static int allow_own(scmp_filter_ctx filter)
{
	const unsigned self = (unsigned)getpid(), zero = 0;
	int error = allow_values(filter, SCMP_SYS(tgkill), 0, &self, 1);
	if (error == 0)
		error = allow_values(filter, SCMP_SYS(kill), 0, &self, 1);
	if (error == 0)
		error = allow_values(filter, SCMP_SYS(prlimit64), 0, &zero, 1);
	return error == -EDOM ? 0 : error;
}

static int allow_with_conditions(scmp_filter_ctx filter)
{
	/* who listens, who is asked for names, which interfaces there are */
	static const unsigned families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	static const unsigned requests[] = {FIONREAD,     FIONBIO,     SIOCOUTQ,    TCGETS,
					    SIOCGIFINDEX, SIOCGIFNAME, SIOCGIFFLAGS};
	static const unsigned settings[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA,
					    PR_CAPBSET_READ};
	int error = allow_values(filter, SCMP_SYS(socket), 0, families, ARRAY_COUNT(families));
	if (error == 0)
		error = allow_values(filter, SCMP_SYS(ioctl), 1, requests, ARRAY_COUNT(requests));
	if (error == 0)
		error = allow_values(filter, SCMP_SYS(prctl), 0, settings, ARRAY_COUNT(settings));
	if (error == 0)
		error = allow_memory(filter);
	if (error == 0)
		error = allow_threads(filter);
	return error == 0 ? allow_own(filter) : error;
}

static int fill(scmp_filter_ctx filter)
{
	int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* by halves, on a kernel that does not remember what it has decided */
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; sandbox_calls[i].purpose && error == 0; i++)
		error = allow_names(filter, sandbox_calls[i].names);
	if (error == 0 && sandbox_sanitizer_calls[0])
		return allow_names(filter, sandbox_sanitizer_calls);
	return error == 0 ? allow_with_conditions(filter) : error;
}

int sandbox_start(bool only_logs, char reason[SANDBOX_REASON_MAX])
{
	uint32_t action = can_set_result() ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS);
	scmp_filter_ctx filter = seccomp_init(only_logs ? SCMP_ACT_LOG : action);
	int error = filter ? fill(filter) : -ENOMEM;
	if (error == 0 && hear_of_refusals() != 0)
		error = -errno;
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	if (error == 0)
		return 0;
	snprintf(reason, SANDBOX_REASON_MAX, "the kernel does not take the filter: %s",
		 strerror(-error));
	return ERROR_SYSTEM;
}
