/* check.h: the parts of the warnings. */
#ifndef WARROOM_MODEL_CHECK_H
#define WARROOM_MODEL_CHECK_H

#include "model/load.h"

void wr_check_runbook(wr_loader *l, size_t index); /* of c->runbooks */
void wr_check_moves(wr_loader *l);                 /* between the primary and its standbys */

#endif
