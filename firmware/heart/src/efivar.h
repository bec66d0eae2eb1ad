/* Variables that systemd-boot leaves for the system (systemd's Boot Loader Interface). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Reads a boot loader's variable as ASCII text; other characters become '?'. False when it is not there. */
bool efi_loader_variable(const char *name, char *text, size_t size);
