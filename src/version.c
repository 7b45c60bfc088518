/* What the library tells of itself to those who meet it at run time. */
#include "base.h"

uint32_t brolga_abi(void)
{
    return BROLGA_ABI;
}
