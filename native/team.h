// What a kernel sees of the threads and of the workspace: plain functions and no standard library, because kernels are
// compiled once per instruction set and must share no inline function with the rest of the program.
#pragma once
#include <cstddef>

namespace saiki {

struct Barrier {
  alignas(64) int arrived = 0;
  alignas(64) int phase = 0;
};

struct Team {
  int lanes;                                        // threads of this call, the caller's included
  void (*run)(Team&, void (*)(void*, int), void*);  // task(context, lane) once per lane; returns when all are done
  void* (*take)(Team&, size_t bytes);               // 64-byte aligned, uninitialised, valid until the call ends
  void (*relax)(int spins);                         // one round of waiting: pause first, yield the core later
  Barrier barrier;
};

// Every lane waits until all have come.
static inline void meet(Team& team) {
  if (team.lanes == 1) return;
  Barrier& b = team.barrier;
  const int phase = __atomic_load_n(&b.phase, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&b.arrived, 1, __ATOMIC_ACQ_REL) == team.lanes) {
    __atomic_store_n(&b.arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b.phase, phase + 1, __ATOMIC_RELEASE);
    return;
  }
  for (int spins = 0; __atomic_load_n(&b.phase, __ATOMIC_ACQUIRE) == phase; ++spins) team.relax(spins);
}

}  // namespace saiki
