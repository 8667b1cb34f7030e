// The threads of torch's own OpenMP runtime, borrowed.
//
// After each of torch's operators OpenMP's threads spin for some milliseconds, each on its core. Threads of ours would
// have to share those cores; borrowed threads are awake already, and nobody waits. The runtime is looked up in the
// libraries that torch has loaded: nothing is linked, so there is never a second runtime, and without one the pool's own
// threads serve.
#pragma once
#include <dlfcn.h>

namespace saiki {

class OpenMP {
  void (*parallel_)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
  int (*number_)() = nullptr;
  int (*count_)() = nullptr;

 public:
  OpenMP() {
#ifdef RTLD_NOLOAD
    void* torch = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
    if (!torch) return;
    number_ = reinterpret_cast<int (*)()>(dlsym(torch, "omp_get_thread_num"));
    count_ = reinterpret_cast<int (*)()>(dlsym(torch, "omp_get_num_threads"));
    if (number_ && count_) parallel_ = reinterpret_cast<decltype(parallel_)>(dlsym(torch, "GOMP_parallel"));
#endif
  }

  bool found() const { return parallel_; }

  // Runs task(context, lane) on every lane; false, and nothing done, if the runtime gave another number of threads.
  bool run(int lanes, void (*task)(void*, int), void* context) const {
    struct Region {
      const OpenMP& omp;
      int lanes;
      void (*task)(void*, int);
      void* context;
      bool ran;
    } region{*this, lanes, task, context, false};
    parallel_(
        [](void* r) {
          Region& region = *static_cast<Region*>(r);
          if (region.omp.count_() != region.lanes) return;
          const int lane = region.omp.number_();
          if (lane == 0) region.ran = true;
          region.task(region.context, lane);
        },
        &region, unsigned(lanes), 0);
    return region.ran;
  }
};

}  // namespace saiki
