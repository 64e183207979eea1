/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sandbox_calls.h"

const char sandbox_sanitizer_calls[] = "";
