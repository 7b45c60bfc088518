/*
 * Brolga: tasks and typed channels that keep running while the code that they
 * run is replaced.
 *
 * This header includes one header a layer; each can be included alone.
 *
 *   base.h   result codes, time           epoch.h  members, rounds, retire
 *   got.h    slots, units, versions       copy.h   types, copy, drop
 *   task.h   tasks, safepoints            chan.h   channels, select
 *   io.h     blocking work, files, processes, sockets (the tasks layer too)
 *   scope.h  scopes, cleaning up          look.h   what the tasks are doing
 *   fork.h   fork and join
 *   par.h    parallel collections
 *   freeze.h values that many read (the copy layer too)
 *   heap.h   memory that goes with a failed task (the copy layer too)
 *   closures.h  what closures capture, and how they keep code
 *   code.h   memory for code that a host's compiler makes
 *   site.h   how places in the code hand values over (the copy layer too)
 *   broadcast.h  every subscriber gets every value (the channel layer too)
 *   lease.h  frozen values in messages (the channel layer too)
 *   retype.h messages whose type changes with a commit (the channel layer too)
 *
 * Two more are for their own users: module.h for a C file that is reloaded,
 * and reload.h for a program that reloads C files.
 */
#ifndef BROLGA_BROLGA_H
#define BROLGA_BROLGA_H

#include <brolga/base.h>
#include <brolga/epoch.h>
#include <brolga/got.h>

#include <brolga/closures.h>
#include <brolga/code.h>
#include <brolga/copy.h>
#include <brolga/freeze.h>
#include <brolga/heap.h>
#include <brolga/io.h>
#include <brolga/site.h>
#include <brolga/task.h>

#include <brolga/fork.h>
#include <brolga/look.h>
#include <brolga/scope.h>

#include <brolga/broadcast.h>
#include <brolga/chan.h>
#include <brolga/lease.h>
#include <brolga/retype.h>

#include <brolga/par.h>

#endif
