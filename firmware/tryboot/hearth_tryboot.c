// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Raspberry Pi's one-shot boot, for kernels whose reboot(2) does not know it (those of Linux itself; the Raspberry
 * Pi's own do). Once armed, the next restart asks the board's firmware to boot what autoboot.txt has under [tryboot].
 * The firmware forgets that as it boots, so the restart after that one is an ordinary one again, whatever its cause.
 *
 *   echo 1 > /sys/module/hearth_tryboot/parameters/arm     arms; 0 disarms; reading tells
 *   reboot(2) with the command "0 tryboot"                 does it without being armed, as on the Raspberry Pi's kernels
 *
 * The firmware is told only on the way into a restart that the kernel makes. Whatever else ends the kernel (a power cut, a
 * panic, the watchdog) boots the usual partition, armed or not.
 *
 * Copyright 2026 the Hearth authors.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/of.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

/* Not among the tags that Linux has names for. */
#define RPI_FIRMWARE_SET_REBOOT_FLAGS 0x00038064
#define REBOOT_FLAG_TRYBOOT 1
#define COMMAND "0 tryboot"

static bool arm;
module_param(arm, bool, 0600);
MODULE_PARM_DESC(arm, "whether the next restart, and only that one, boots the [tryboot] partition");

static struct rpi_firmware *firmware;

static int on_reboot(struct notifier_block *block, unsigned long action, void *command)
{
	u32 flags = REBOOT_FLAG_TRYBOOT;
	int error;

	if (action != SYS_RESTART || !(arm || (command && strcmp(command, COMMAND) == 0)))
		return NOTIFY_DONE;
	error = rpi_firmware_property(firmware, RPI_FIRMWARE_SET_REBOOT_FLAGS, &flags, sizeof(flags));
	if (error)
		pr_err("the firmware did not take the flag (%d): the usual partition boots\n", error);
	else
		pr_info("the [tryboot] partition boots next\n");
	return NOTIFY_OK;
}

static struct notifier_block on_reboot_block = { .notifier_call = on_reboot };

static int __init tryboot_init(void)
{
	struct device_node *node = rpi_firmware_find_node();
	int error;

	firmware = rpi_firmware_get(node);
	of_node_put(node);
	if (!firmware)
		return -ENODEV;
	error = register_reboot_notifier(&on_reboot_block);
	if (error)
		rpi_firmware_put(firmware);
	return error;
}

static void __exit tryboot_exit(void)
{
	unregister_reboot_notifier(&on_reboot_block);
	rpi_firmware_put(firmware);
}

module_init(tryboot_init);
module_exit(tryboot_exit);
MODULE_DESCRIPTION("The Raspberry Pi's one-shot boot");
MODULE_AUTHOR("the Hearth authors");
MODULE_LICENSE("GPL");
