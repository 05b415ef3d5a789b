// Probes a file or an address as the worker does, and prints the length that it found.
//   bench_probe LOCATION
#include "media/probe.h"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_probe LOCATION\n", stderr);
    return 2;
  }
  try {
    std::printf("%.3f\n", segments::probe_media(argv[1]).duration);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_probe: %s\n", error.what());
    return 1;
  }
  return 0;
}
