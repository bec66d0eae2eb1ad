/* Variables by which systemd-boot and the system talk (systemd's Boot Loader Interface); they are ASCII here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define EFIVARS "/sys/firmware/efi/efivars"

/* Reads one; other characters become '?'. False when it is not there. */
bool efi_loader_variable(const char *name, char *text, size_t size);

/* Makes it `text`, over a reboot. False, with errno, when that is refused. */
bool efi_set_loader_variable(const char *name, const char *text);
