/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/log.h"

#include "base/mem.h"

void log_read_release(struct log_read *request)
{
	mem_free(request->bytes);
	request->bytes = NULL;
}

void log_image_free(struct log_image *image)
{
	for (unsigned i = 0; i < image->count; i++)
		mem_free(image->parts[i].ptr);
	mem_free(image);
}
