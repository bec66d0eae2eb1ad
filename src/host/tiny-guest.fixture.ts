import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Board } from './board.ts';

/**
 * A guest of one boot sector: says `up` on its first serial port and `second` on its second one, and does what the keys on the
 * first one say: r resets, p powers off by ACPI, h says that the power is down and halts, w lets its watchdog (an ib700) run out at
 * once, others are echoed.
 */
const SOURCE = `
.code16
.intel_syntax noprefix
start:
  cli
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov dx, 0x2f8
  mov si, 0x7c00 + (second - start)
  call print
  mov dx, 0x3f8
  mov si, 0x7c00 + (up - start)
  call print
wait:
  mov dx, 0x3fd
  in al, dx
  test al, 1
  jz wait
  mov dx, 0x3f8
  in al, dx
  cmp al, 'r'
  je reset
  cmp al, 'p'
  je off
  cmp al, 'h'
  je halt
  cmp al, 'w'
  je bite
  out dx, al
  jmp wait
reset:
  mov dx, 0xcf9
  mov al, 6
  out dx, al
  hlt
off:
  mov dx, 0x604
  mov ax, 0x2000
  out dx, ax
  hlt
halt:
  mov si, 0x7c00 + (down - start)
  call print
  hlt
bite:
  mov dx, 0x443
  mov al, 15
  out dx, al
  hlt
print:
  lodsb
  test al, al
  jz done
  out dx, al
  jmp print
done:
  ret
up: .asciz "up\\r\\n"
second: .asciz "second\\r\\n"
down: .asciz "reboot: Power down\\r\\n"
.org 510
.word 0xaa55
`;

const run = promisify(execFile);

/** A board with that guest, assembled by GNU as; it starts in a fraction of a second. */
export async function tinyGuest(folder: string, board: Partial<Board> = {}): Promise<Board> {
  const file = (name: string): string => join(folder, name);
  await writeFile(file('guest.s'), SOURCE);
  await run('as', ['--32', '-o', file('guest.o'), file('guest.s')]);
  await run('objcopy', ['-O', 'binary', '-j', '.text', file('guest.o'), file('guest.bin')]);
  const { resetEndsQemu = false, watchdogPauses = false } = board;
  return {
    emulator: 'q35',
    resetEndsQemu,
    consoleSerial: 0,
    powerOffLine: undefined,
    powerOn: async (forwards) => ({
      file: 'qemu-system-x86_64',
      args: [
        ...['-M', 'pc', '-accel', 'tcg', '-m', '16', '-nodefaults', '-display', 'none', '-S'],
        ...['-chardev', 'socket,id=qmp,fd=3', '-mon', 'chardev=qmp,mode=control'],
        ...['-chardev', 'socket,id=a,fd=4', '-serial', 'chardev:a'],
        ...['-chardev', 'socket,id=b,fd=5', '-serial', 'chardev:b'],
        ...['-drive', `format=raw,file=${file('guest.bin')}`],
        ...[
          '-netdev',
          [
            'user,id=net',
            ...forwards.map(({ host, guest }) => `hostfwd=tcp:127.0.0.1:${host}-:${guest}`),
          ].join(','),
        ],
        ...['-device', 'e1000,netdev=net,romfile='],
        ...(resetEndsQemu ? ['-action', 'reboot=shutdown'] : []),
        ...['-device', 'ib700', '-action', `watchdog=${watchdogPauses ? 'pause' : 'reset'}`],
      ],
    }),
    ...board,
  };
}
