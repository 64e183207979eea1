/* SPDX-License-Identifier: Apache-2.0 */
/* Instead of sandbox.c where libseccomp was not there to build with. */
#include "daemon/sandbox.h"

#include <stdio.h>

int sandbox_start(bool only_logs, char reason[SANDBOX_REASON_MAX])
{
	(void)only_logs;
	snprintf(reason, SANDBOX_REASON_MAX, "this program was built without libseccomp");
	return ERROR_NOT_FOUND;
}

bool sandbox_take_refused(char name[SANDBOX_NAME_MAX])
{
	(void)name;
	return false;
}
