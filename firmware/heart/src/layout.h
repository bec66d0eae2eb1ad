/* Numbers of src/update/layout.ts that heart needs; test/layout.test.ts compares the two. Bytes. */
#pragma once

#define MIB (1024LL * 1024)
#define SECTOR 512

/* heart's state record: two copies, 4 MiB apart so that one torn erase block cannot take both. */
#define HEART_STATE_OFFSET_0 (3 * MIB)
#define HEART_STATE_OFFSET_1 (7 * MIB)
#define HEART_STATE_SIZE SECTOR

/* The update's environment, two copies. */
#define ENV_OFFSET_0 (1 * MIB)
#define ENV_OFFSET_1 (5 * MIB)
#define ENV_SIZE (16 * 1024)

#define PARTITION_ROOT_A "hearth-root-a"
#define PARTITION_ROOT_B "hearth-root-b"
#define PARTITION_DATA "hearth-data"

/* 'HRTH', read as little-endian; on an MBR disk the roots are p5 and p6, the data partition p7. */
#define MBR_SIGNATURE 0x48545248u
#define MBR_ROOT_A 5
#define MBR_ROOT_B 6
#define MBR_DATA 7

/* The most of /modules/load that is read, the final NUL included; usb-storage alone has hundreds of lines. */
#define LOAD_LIST_SIZE (1 * MIB)
