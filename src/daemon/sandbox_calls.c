/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names are those of Linux, for all architectures: a name that one of them lacks is passed over.
 * Old and new forms of a call stand side by side, since the C library chooses.
 */
#include "daemon/sandbox_calls.h"

const struct sandbox_calls sandbox_calls[] = {
	{"connections",
	 "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom "
	 "recvmmsg recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair"},
	{"waiting",
	 "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd "
	 "eventfd2 "
	 "pipe pipe2 poll ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime "
	 "timerfd_settime"},
	{"files and descriptors",
	 "access chdir chmod chown close close_range copy_file_range dup dup2 dup3 faccessat "
	 "faccessat2 fadvise64 fallocate fchmod fchmodat fchmodat2 fchown fchownat fcntl fcntl64 "
	 "fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 "
	 "getcwd getdents getdents64 lchown link linkat lseek lstat lstat64 _llseek mkdir mkdirat "
	 "newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read "
	 "readahead readlink readlinkat readv rename renameat renameat2 rmdir stat stat64 statfs "
	 "statfs64 statx symlink symlinkat sync_file_range truncate umask unlink unlinkat "
	 "utimensat "
	 "write writev"},
	{"memory", "brk madvise membarrier mincore mlock mlock2 mremap munlock munmap"},
	{"threads",
	 "exit exit_group futex futex_time64 futex_waitv get_robust_list get_thread_area gettid "
	 "getcpu rseq sched_get_priority_max sched_get_priority_min sched_getaffinity "
	 "sched_getparam sched_getscheduler sched_setaffinity sched_setparam sched_setscheduler "
	 "sched_yield set_robust_list set_thread_area set_tid_address setpriority getpriority "
	 "set_tls arch_prctl"},
	{"signals",
	 "alarm pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn "
	 "rt_sigsuspend rt_sigtimedwait sigaction sigaltstack sigprocmask sigreturn setitimer"},
	{"time",
	 "clock_getres clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 "
	 "gettimeofday nanosleep time times"},
	{"what it learns about itself and the machine",
	 "capget getegid geteuid getgid getgroups getpgrp getpid getppid getrandom getresgid "
	 "getresuid getrlimit getrusage getsid getuid sysinfo ugetrlimit uname"},
	{NULL, NULL},
};
