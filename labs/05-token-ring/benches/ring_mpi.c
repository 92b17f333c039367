/* The token ring of lab 05 on MPI, for benches/hops.rs: prints hops per second. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank, processes;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &processes);
    long laps = atol(argv[1]);
    int bytes = atoi(argv[2]);
    char *token = calloc(bytes, 1);
    int next = (rank + 1) % processes, previous = (rank + processes - 1) % processes;

    MPI_Barrier(MPI_COMM_WORLD);
    double started = MPI_Wtime();
    for (long lap = 0; lap < laps; lap++) {
        if (rank == 0) MPI_Send(token, bytes, MPI_BYTE, next, 0, MPI_COMM_WORLD);
        MPI_Recv(token, bytes, MPI_BYTE, previous, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank != 0) MPI_Send(token, bytes, MPI_BYTE, next, 0, MPI_COMM_WORLD);
    }
    if (rank == 0) printf("%.0f\n", laps * processes / (MPI_Wtime() - started));
    free(token);
    MPI_Finalize();
    return 0;
}
