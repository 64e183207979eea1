/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/disk_device.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* statfs(2) and linux/magic.h */
static const struct file_system {
	uint32_t magic;
	const char *name;
	bool is_network;
} file_systems[] = {
	{0xef53, "ext4", false},      {0x58465342, "xfs", false},
	{0x9123683e, "btrfs", false}, {0x01021994, "tmpfs", false},
	{0x858458f6, "ramfs", false}, {0x2fc12fc1, "zfs", false},
	{0xf2f52010, "f2fs", false},  {0x794c7630, "overlay", false},
	{0x6969, "nfs", true},        {0xff534d42, "cifs", true},
	{0xfe534d42, "smb2", true},   {0x517b, "smb", true},
	{0x00c36400, "ceph", true},   {0x01021997, "9p", true},
	{0x65735546, "fuse", false},  {0x4d44, "vfat", false},
	{0x2011bab0, "exfat", false}, {0xca451a4e, "bcachefs", false},
	{0x24051905, "ubifs", false}, {0x52654973, "reiserfs", false},
};

static void name_file_system(int directory, struct disk_facts *out)
{
	struct statfs facts;
	if (fstatfs(directory, &facts) != 0)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(file_systems); i++) {
		if (file_systems[i].magic != (uint32_t)facts.f_type)
			continue;
		snprintf(out->file_system, sizeof(out->file_system), "%s", file_systems[i].name);
		out->is_network = file_systems[i].is_network;
	}
}

/* The first byte of a file of one line; 0 when there is none. */
static char first_byte(const char *path)
{
	char byte = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, &byte, 1) != 1)
		byte = 0;
	close(fd);
	return byte;
}

static void look_at_device(int directory, struct disk_facts *out)
{
	struct stat facts;
	char path[128], target[512];
	if (fstat(directory, &facts) != 0)
		return;
	int len = snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(facts.st_dev),
			   minor(facts.st_dev));
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = '\0';
	out->is_flash_card = strstr(target, "/mmcblk") != NULL;
	snprintf(path + len, sizeof(path) - (size_t)len, "/queue/rotational");
	char is_rotational = first_byte(path);
	if (!is_rotational) {
		/* a partition: its disk knows */
		snprintf(path + len, sizeof(path) - (size_t)len, "/../queue/rotational");
		is_rotational = first_byte(path);
	}
	out->is_rotational = is_rotational == '1';
}

void disk_device_facts(int directory, struct disk_facts *out)
{
	*out = (struct disk_facts){0};
	name_file_system(directory, out);
	look_at_device(directory, out);
}
