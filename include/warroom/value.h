/* value.h: what a probe measured: a number, a truth, a short text, or nothing. Pure. */
#ifndef WARROOM_VALUE_H
#define WARROOM_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "warroom/limits.h"

typedef enum wr_value_type { WR_V_NONE, WR_V_NUM, WR_V_BOOL, WR_V_STR } wr_value_type;

/* WR_V_NONE is "no data": it compares with nothing, and an expression over it has no verdict. NaN
 * and infinities from outside become WR_V_NONE. */
typedef struct wr_value {
	wr_value_type type;
	double num;
	bool truth;
	char str[128]; /* sanitised, cut */
} wr_value;

#endif
