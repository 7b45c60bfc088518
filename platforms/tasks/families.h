/*
 * Families: the functions of the platform, for each element type, as manifests
 * list them.
 */
#ifndef TASKS_FAMILIES_H
#define TASKS_FAMILIES_H

#include "abi.h"

/**
 * Make the list, from the table of elements as it is. It is never freed, since
 * hosts may look at it at any time. Those with type variables come last.
 *
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
int families_init(void);

/* The list; how many there are without type variables, and with them. */
const struct cranelisp_fn *families_list(void);
size_t families_count(void);
size_t families_count_all(void);

#endif
