/* What brolga-sys has of the library: all but module.h, which is for C files. */
#include <brolga/brolga.h>
#include <brolga/reload.h>
