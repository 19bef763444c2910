/* cli.h: the program warroom-sim, as a function. */
#ifndef WR_SIM_CLI_H
#define WR_SIM_CLI_H

/* wr_sim_main is main(): 0 after a clean stop, 2 on wrong use or when it cannot listen. */
int wr_sim_main(int argc, char **argv);

#endif
