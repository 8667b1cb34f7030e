// The threads and the workspace behind a Team: one pool per process, started on first use, rebuilt after fork.
#pragma once
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "openmp.h"
#include "team.h"

namespace saiki {

inline void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waiting inside a call: the others are working, so spin at first; on a busy machine let them have the core.
inline void relax(int spins) {
  if (spins < 2000) pause_core();
  else sched_yield();
}

// Fresh memory costs a page fault per 4 KiB when it is first written, as much as the arithmetic on it where a step does
// little; asked for 2 MiB pages, the kernel of the operating system faults once per page of those.
inline void prefer_large_pages(void* begin, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr uintptr_t page = uintptr_t(2) << 20;
  const uintptr_t from = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const uintptr_t to = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
  if (begin && from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);  // advice: failing is no error
#else
  (void)begin, (void)bytes;
#endif
}

// Memory that outlives the call, so that large buffers cost their page faults once. Blocks are 64-byte aligned and each
// is followed by a guard that `intact` checks.
class Workspace {
  static constexpr size_t guard_bytes = 64, smallest = size_t(1) << 20;
  struct Slab { char* data; size_t size; };
  std::vector<Slab> slabs_;
  std::vector<char*> guards_;
  size_t used_ = 0;  // of the last slab

 public:
  ~Workspace() { release(); }

  void* take(size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    if (slabs_.empty() || used_ + bytes + guard_bytes > slabs_.back().size) grow(bytes + guard_bytes);
    char* block = slabs_.back().data + used_;
    used_ += bytes + guard_bytes;
    std::memset(block + bytes, 0xA5, guard_bytes);
    guards_.push_back(block + bytes);
    return block;
  }

  bool intact() const {
    for (const char* g : guards_)
      for (size_t i = 0; i < guard_bytes; ++i)
        if (static_cast<unsigned char>(g[i]) != 0xA5) return false;
    return true;
  }

  // Ends a call. One slab as large as everything it took serves the next call in one piece.
  void reset() {
    size_t total = 0;
    for (const Slab& s : slabs_) total += s.size;
    guards_.clear();
    used_ = 0;
    if (slabs_.size() <= 1) return;
    release();
    grow(total);
    used_ = 0;
  }

  // Poison for tests: what a kernel reads before it wrote becomes NaN.
  void fill(unsigned char byte) {
    for (const Slab& s : slabs_) std::memset(s.data, byte, s.size);
  }

 private:
  void grow(size_t bytes) {
    const size_t size = (std::max(bytes, smallest) + smallest - 1) / smallest * smallest;
    char* data = static_cast<char*>(std::aligned_alloc(size_t(2) << 20, (size + (size_t(2) << 20) - 1) >> 21 << 21));
    if (!data) throw std::bad_alloc();
    prefer_large_pages(data, size);
    slabs_.push_back({data, size});
    used_ = 0;
  }
  void release() {
    for (const Slab& s : slabs_) std::free(s.data);
    slabs_.clear();
  }
};

// Runs jobs on the threads of torch's OpenMP where there are any, else (after a fork, or with another runtime) on its own.
// Its own sleep between jobs: a worker looks for the next one for some microseconds only, then leaves its core to others.
class Pool {
  struct Job {
    void (*task)(void*, int) = nullptr;
    void* context = nullptr;
  };
  struct Worker {
    std::thread thread;
    std::atomic<uint64_t> ticket{0};  // the job to run; 0 ends the thread
    std::atomic<bool> asleep{false};
    std::mutex mutex;
    std::condition_variable wake;
  };
  static constexpr int spins_before_sleep = 400;

  std::mutex one_call_;
  std::vector<Worker*> workers_;
  Job job_;
  std::atomic<int> running_{0};
  Workspace workspace_;
  const OpenMP openmp_;
  const bool borrow_;

 public:
  explicit Pool(bool borrow) : borrow_(borrow && openmp_.found()) {}

  bool borrows() const { return borrow_; }

  static Pool& instance() {
    static const bool started = start_pool();
    return *(started ? slot() : nullptr);
  }

  // One call at a time: callers from several Python threads take turns.
  struct Lease {
    Pool& pool;
    std::lock_guard<std::mutex> lock;
    struct Bound : Team { Pool* pool; } team;
    explicit Lease(int lanes) : pool(instance()), lock(pool.one_call_) {
      team.lanes = std::max(1, lanes);
      team.pool = &pool;
      team.run = [](Team& t, void (*task)(void*, int), void* context) { static_cast<Bound&>(t).pool->run(t.lanes, task, context); };
      team.take = [](Team& t, size_t bytes) { return static_cast<Bound&>(t).pool->workspace_.take(bytes); };
      team.relax = relax;
    }
    ~Lease() { pool.workspace_.reset(); }
    Workspace& workspace() { return pool.workspace_; }
  };

 private:
  static Pool*& slot() {
    static Pool* pool = nullptr;
    return pool;
  }
  static bool start_pool() {
    const char* wish = std::getenv("SAIKI_THREADS");
    slot() = new Pool(!wish || std::strcmp(wish, "own") != 0);
    // Threads do not survive fork, neither a pool's nor OpenMP's: the child leaves them alone and starts its own.
    pthread_atfork(nullptr, nullptr, [] { slot() = new Pool(false); });
    return true;
  }

  void run(int lanes, void (*task)(void*, int), void* context) {
    if (lanes == 1) return task(context, 0);
    if (borrow_ && openmp_.run(lanes, task, context)) return;
    while (int(workers_.size()) < lanes - 1) start();
    job_ = {task, context};
    running_.store(lanes - 1, std::memory_order_relaxed);
    for (int i = 0; i < lanes - 1; ++i) {
      Worker& w = *workers_[i];
      w.ticket.fetch_add(1, std::memory_order_seq_cst);
      if (w.asleep.load(std::memory_order_seq_cst)) {
        std::lock_guard<std::mutex> lock(w.mutex);
        w.wake.notify_one();
      }
    }
    task(context, 0);
    for (int spins = 0; running_.load(std::memory_order_acquire) > 0; ++spins) relax(spins);
  }

  void start() {
    Worker* w = new Worker;
    const int lane = int(workers_.size()) + 1;
    w->thread = std::thread([this, w, lane] { work(*w, lane); });
    w->thread.detach();  // lives as long as the process
    workers_.push_back(w);
  }

  void work(Worker& w, int lane) {
    for (uint64_t done = 0;; ++done) {
      for (int spins = 0; w.ticket.load(std::memory_order_acquire) == done && spins < spins_before_sleep; ++spins) pause_core();
      if (w.ticket.load(std::memory_order_acquire) == done) {
        std::unique_lock<std::mutex> lock(w.mutex);
        w.asleep.store(true, std::memory_order_seq_cst);
        w.wake.wait(lock, [&] { return w.ticket.load(std::memory_order_seq_cst) != done; });
        w.asleep.store(false, std::memory_order_seq_cst);
      }
      job_.task(job_.context, lane);
      running_.fetch_sub(1, std::memory_order_release);
    }
  }
};

}  // namespace saiki
