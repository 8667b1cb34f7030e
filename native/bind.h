// What the files that know Python share: tensors as views, the kernels that were chosen, threads without the interpreter lock.
#pragma once
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.h"
#include "pool.h"
#include "shape.h"
#include "steps.h"
#include "view.h"

namespace saiki {
namespace baseline { extern const Kernels kernels; extern const StepTable step_table; }
#ifdef SAIKI_X86
namespace v3 { extern const Kernels kernels; extern const StepTable step_table; }
namespace v4 { extern const Kernels kernels; extern const StepTable step_table; }
#endif

// Best first.
inline std::vector<const Kernels*> available() {
  std::vector<const Kernels*> found;
#ifdef SAIKI_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) found.push_back(&v4::kernels);
  if (__builtin_cpu_supports("x86-64-v3")) found.push_back(&v3::kernels);
#endif
  found.push_back(&baseline::kernels);
  return found;
}

inline const Kernels* chosen() {
  static const Kernels* const kernels = [] {
    const char* wish = std::getenv("SAIKI_ISA");
    for (const Kernels* k : available())
      if (!wish || !*wish || std::strcmp(wish, k->isa) == 0) return k;
    throw std::runtime_error(std::string("SAIKI_ISA=") + wish + " is not available on this processor; choose from: v4, v3, baseline");
  }();
  return kernels;
}

inline const StepTable& chosen_steps() {
#ifdef SAIKI_X86
  if (chosen() == &v4::kernels) return v4::step_table;
  if (chosen() == &v3::kernels) return v3::step_table;
#endif
  return baseline::step_table;
}

inline bool poison = false;  // tests: fill the workspace with NaN before each call and check the guards after it

// The memory of a tensor that must have this dtype and shape; of None, null.
inline void* data(nb::handle tensor, int scalar, const std::vector<long>& shape, const char* name) {
  if (tensor.is_none()) return nullptr;
  const View v = view(tensor);
  if (v.scalar != scalar) wrong(name, "of the same dtype as the weights");
  if (v.dimensions != int(shape.size())) wrong(name, "of another number of dimensions");
  int i = 0;
  for (const long n : shape)
    if (v.shape[i++] != n) wrong(name, "of another shape");
  return v.memory;
}
inline void* present(nb::handle tensor, int scalar, const std::vector<long>& shape, const char* name) {
  if (tensor.is_none()) wrong(name, "given");
  return data(tensor, scalar, shape, name);
}

// Runs `body(team)` on so many lanes, without the interpreter lock.
template <class Body> void lead(int lanes, Body body) {
  nb::gil_scoped_release release;
  Pool::Lease lease(lanes);
  if (poison) lease.workspace().fill(0xFF);
  body(lease.team);
  if (poison && !lease.workspace().intact()) throw std::runtime_error("saiki kernel: a buffer was written past its end");
}

void bind_steps(nb::module_& m);  // of bind_steps.cc

}  // namespace saiki
