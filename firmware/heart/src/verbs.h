/* heart's verbs that are small programs of their own. Each returns the exit status. */
#pragma once

int verb_exec(char **argv);        /* exec.c: becomes a program */
int verb_wait(char **argv);        /* verbs.c */
int verb_resize_part(char **argv); /* verbs.c */
int verb_test_watchdog(void);      /* verbs.c */
int verb_run(char **argv);         /* run.c: heart -- PROGRAM */
int verb_erlang(char **argv);      /* erlang.c: the drop-in for Erlang's heart */
