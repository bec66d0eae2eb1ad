/* heart's verbs that are small programs of their own. Each returns the exit status. */
#pragma once

#include <stdbool.h>

int verb_attach(char **argv);        /* attach.c: an SSH session */
int verb_erlang(char **argv);        /* erlang.c: the drop-in for Erlang's heart */
int verb_exec(char **argv);          /* exec.c: becomes a program */
int verb_one_shot(char **argv);      /* verbs.c */
int verb_resize_part(char **argv);   /* verbs.c */
int verb_run(char **argv);           /* run.c: heart -- PROGRAM */
int verb_test_watchdog(char **argv); /* verbs.c */
int verb_wait(char **argv);          /* verbs.c */

/* What of an SSH session's commands is sftp or scp, and serving that: transfer.c. */
bool is_file_transfer(const char *command);
int transfer_files(const char *command);
