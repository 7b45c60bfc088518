/*
 * Figures for programs, and for people.
 */
#ifndef TASKS_STATS_H
#define TASKS_STATS_H

#include <brolga/base.h>

/* (Vec Int): workers, tasks started, tasks that run or wait, channels, bytes
 * made immortal, bytes that could not be freed, reloads. */
brolga_word stats_vec(void);

/* A String with the same, and a line for each of the first tasks. */
brolga_word stats_report(void);

#endif
