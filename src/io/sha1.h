/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 (RFC 3174), which opening a WebSocket wants. It protects nothing there, nor here. */
#ifndef NIGHTJAR_IO_SHA1_H
#define NIGHTJAR_IO_SHA1_H

#include "base/base.h"

#define SHA1_BYTES 20
/* Of short texts only: they are copied to the stack. */
#define SHA1_INPUT_MAX 128

void sha1(struct span text, uint8_t digest[SHA1_BYTES]);

#endif
