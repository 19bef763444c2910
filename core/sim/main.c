/* main.c: warroom-sim. */
#include "sim/cli.h"

int main(int argc, char **argv)
{
	return wr_sim_main(argc, argv);
}
