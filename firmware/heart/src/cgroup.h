/* The four cgroups (version 2) that part what must not die together. */
#pragma once

/* Mounts the hierarchy, hands down the controllers that exist, and makes hearthd, app, net and ssh. */
void cgroup_setup(void);

/* Moves the calling process into one. */
void cgroup_enter(const char *name);

/* Kills everything in one, at once. */
void cgroup_kill(const char *name);
