/* SPDX-License-Identifier: Apache-2.0 */
/* Instead of sandbox_plain.c in a build with a sanitizer, which starts a program that finds names
 * for its report, and a process that looks for leaks in this one. */
#include "daemon/sandbox_calls.h"

/* clone3: refused, it would come as a signal while all signals are held back. */
const char sandbox_sanitizer_calls[] =
	"clone clone3 execve fork ioctl kill mmap mprotect personality pkey_mprotect prctl "
	"prlimit64 process_vm_readv ptrace rt_sigqueueinfo rt_tgsigqueueinfo setrlimit socket "
	"tgkill tkill vfork wait4 waitid";
