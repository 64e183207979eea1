/* SPDX-License-Identifier: Apache-2.0 */
/* SCRAM is access/scram.h, with libcrypto. */
#include "client/client_state.h"

const bool client_has_scram = true;
