/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the disk. */
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define READ_BYTES 65536u

/* Reads to the end, or beyond the limit. */
static int read_stream(FILE *stream, struct buffer *text)
{
	while (buffer_len(text) <= CONFIG_FILE_BYTES_MAX) {
		int rc = buffer_reserve(text, READ_BYTES);
		if (rc)
			return rc;
		size_t len = fread(buffer_room(text).ptr, 1, READ_BYTES, stream);
		buffer_commit(text, len);
		if (ferror(stream))
			return ERROR_SYSTEM;
		if (len < READ_BYTES)
			break;
	}
	return buffer_len(text) > CONFIG_FILE_BYTES_MAX ? ERROR_LIMIT : 0;
}

static struct config_file_id id_of(FILE *stream)
{
	struct stat found;
	if (fstat(fileno(stream), &found) != 0)
		return (struct config_file_id){0};
	return (struct config_file_id){found.st_dev, found.st_ino};
}

static int disk_read(void *context, const char *path, struct buffer *text,
		     struct config_file_id *id_out, char reason[CONFIG_REASON_MAX])
{
	(void)context;
	FILE *stream = fopen(path, "rbe");
	if (!stream) {
		snprintf(reason, CONFIG_REASON_MAX, "cannot be opened: %s", strerror(errno));
		return ERROR_SYSTEM;
	}
	*id_out = id_of(stream);
	int rc = read_stream(stream, text);
	if (rc == ERROR_SYSTEM)
		snprintf(reason, CONFIG_REASON_MAX, "cannot be read: %s", strerror(errno));
	else if (rc == ERROR_LIMIT)
		snprintf(reason, CONFIG_REASON_MAX,
			 "is larger than a configuration may be (%zu bytes)",
			 CONFIG_FILE_BYTES_MAX);
	fclose(stream);
	return rc;
}

static int disk_list(void *context, const char *path, struct buffer *names,
		     char reason[CONFIG_REASON_MAX])
{
	(void)context;
	int rc = 0;
	DIR *directory = opendir(path);
	if (!directory) {
		snprintf(reason, CONFIG_REASON_MAX, "'%.90s' cannot be opened: %s", path,
			 strerror(errno));
		return ERROR_SYSTEM;
	}
	const struct dirent *entry;
	while (rc == 0 && (entry = readdir(directory))) /* NOLINT(concurrency-mt-unsafe) */
		rc = buffer_append(names, span_of(entry->d_name, strlen(entry->d_name) + 1));
	closedir(directory);
	return rc;
}

struct config_source config_source_of_disk(void)
{
	return (struct config_source){.read = disk_read, .list = disk_list};
}
