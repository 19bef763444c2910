/* check.c: warnings about what is legal, but dangerous in the night. */
#include <string.h>

#include "model/load.h"

void wr_check_warnings(wr_loader *l)
{
	(void)l;
}
