// The only file that knows Python: checks shapes, releases the interpreter lock, passes views to the kernels.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "kernels.h"
#include "pool.h"

namespace nb = nanobind;

namespace saiki {
namespace baseline { extern const Kernels kernels; }
#ifdef SAIKI_X86
namespace v3 { extern const Kernels kernels; }
namespace v4 { extern const Kernels kernels; }
#endif
}  // namespace saiki

namespace {

using namespace saiki;
using Array = nb::ndarray<nb::device::cpu, nb::c_contig>;
using MaybeArray = std::optional<Array>;

// Best first.
std::vector<const Kernels*> available() {
  std::vector<const Kernels*> found;
#ifdef SAIKI_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) found.push_back(&v4::kernels);
  if (__builtin_cpu_supports("x86-64-v3")) found.push_back(&v3::kernels);
#endif
  found.push_back(&baseline::kernels);
  return found;
}

const Kernels* chosen() {
  static const Kernels* const kernels = [] {
    const char* wish = std::getenv("SAIKI_ISA");
    for (const Kernels* k : available())
      if (!wish || !*wish || std::strcmp(wish, k->isa) == 0) return k;
    throw std::runtime_error(std::string("SAIKI_ISA=") + wish + " is not available on this processor; choose from: v4, v3, baseline");
  }();
  return kernels;
}

bool poison = false;  // tests: fill the workspace with NaN before each call and check the guards after it

struct Shape {
  int scalar;  // 0 float, 1 double
  long time, rows, steps, features, width;
  std::vector<int64_t> offsets;
};

[[noreturn]] void wrong(const char* name, const char* expected) {
  throw std::invalid_argument(std::string("saiki kernel: ") + name + " must be " + expected);
}

void* data(const Array& a, int scalar, std::initializer_list<long> shape, const char* name) {
  const nb::dlpack::dtype wanted = scalar == 0 ? nb::dtype<float>() : nb::dtype<double>();
  if (a.dtype() != wanted) wrong(name, "of the same dtype as x");
  if (a.ndim() != shape.size()) wrong(name, "of another number of dimensions");
  size_t i = 0;
  for (const long n : shape)
    if (long(a.shape(i++)) != n) wrong(name, "of another shape");
  return a.data();
}
void* data(const MaybeArray& a, int scalar, std::initializer_list<long> shape, const char* name) {
  return a ? data(*a, scalar, shape, name) : nullptr;
}

int cell_index(const std::string& cell) {
  for (int i = 0; i < cell_count; ++i)
    if (cell == cell_names[i]) return i;
  throw std::invalid_argument("saiki kernel: no kernel for the cell " + cell);
}

Shape shape_of(const Array& x, const Array& weight_hh, const Array& counts, long rows) {
  if (x.ndim() != 2 || weight_hh.ndim() != 2 || counts.ndim() != 1) wrong("x, weight_hh and counts", "of 2, 2 and 1 dimensions");
  if (counts.dtype() != nb::dtype<int64_t>()) wrong("counts", "int64");
  Shape s{x.dtype() == nb::dtype<double>() ? 1 : 0, long(counts.shape(0)), rows, long(x.shape(0)), long(x.shape(1)), long(weight_hh.shape(1)), {}};
  const int64_t* n = static_cast<const int64_t*>(counts.data());
  s.offsets.resize(s.time + 1);
  for (long t = 0; t < s.time; ++t) {
    if (n[t] < 1 || n[t] > (t ? n[t - 1] : rows)) wrong("counts", "positive, non-increasing and at most the batch");
    s.offsets[t + 1] = s.offsets[t] + n[t];
  }
  if (s.offsets[s.time] != s.steps) wrong("the sum of counts", "the number of packed steps");
  if (s.time < 1 || s.features < 1 || s.width < 1) wrong("time, features and width", "at least 1");
  return s;
}

// Too little work is not worth waking another thread for.
int lanes_for(const Shape& s, int gates, int threads) {
  const double products = double(s.steps) * gates * double(s.width) * double(s.width + s.features);
  return products < 3e5 ? 1 : std::max(1, threads);
}

void run(void (*kernel)(const Call&, Team&), const Call& call, int lanes) {
  nb::gil_scoped_release release;
  Pool::Lease lease(lanes);
  if (poison) lease.workspace().fill(0xFF);
  kernel(call, lease.team);
  if (poison && !lease.workspace().intact()) throw std::runtime_error("saiki kernel: a buffer was written past its end");
}

Call common(const CellKernels& k, const Shape& s, const Array& x, const std::vector<Array>& initial, const std::vector<MaybeArray>& weights,
            const Array& counts, bool reverse) {
  const int t = s.scalar;
  Call c{};
  c.batch = {s.time, s.rows, static_cast<const int64_t*>(counts.data()), s.offsets.data(), reverse};
  c.features = s.features;
  c.width = s.width;
  c.x = data(x, t, {s.steps, s.features}, "x");
  if (weights.size() != 4 || !weights[0] || !weights[1]) wrong("weights", "weight_ih, weight_hh, bias_ih, bias_hh");
  c.weight_ih = data(*weights[0], t, {k.gates * s.width, s.features}, "weight_ih");
  c.weight_hh = data(*weights[1], t, {k.gates * s.width, s.width}, "weight_hh");
  c.bias_ih = data(weights[2], t, {k.gates * s.width}, "bias_ih");
  c.bias_hh = data(weights[3], t, {k.gates * s.width}, "bias_hh");
  if (int(initial.size()) != k.states) wrong("state", "as many tensors as the cell has states");
  for (int i = 0; i < k.states; ++i) c.initial[i] = data(initial[i], t, {s.rows, s.width}, "state");
  return c;
}

void forward(const std::string& cell, const Array& x, const std::vector<Array>& initial, const std::vector<MaybeArray>& weights,
             const Array& counts, bool reverse, const Array& y, const std::vector<Array>& final, const MaybeArray& saved, int threads) {
  if (initial.empty()) wrong("state", "given");
  const Shape s = shape_of(x, weights.at(1).value(), counts, long(initial[0].shape(0)));
  const CellKernels& k = chosen()->cells[cell_index(cell)][s.scalar];
  Call c = common(k, s, x, initial, weights, counts, reverse);
  c.y = data(y, s.scalar, {s.steps, s.width}, "y");
  for (int i = 0; i < k.states; ++i) c.final[i] = data(final.at(i), s.scalar, {s.rows, s.width}, "final state");
  c.saved = data(saved, s.scalar, {s.steps, k.saved_row(c)}, "saved");
  run(k.forward, c, lanes_for(s, k.gates, threads));
}

void backward(const std::string& cell, const Array& x, const std::vector<Array>& initial, const std::vector<MaybeArray>& weights,
              const Array& counts, bool reverse, const Array& y, const Array& saved, const MaybeArray& dy, const std::vector<MaybeArray>& dfinal,
              const MaybeArray& dx, const std::vector<MaybeArray>& dinitial, const std::vector<MaybeArray>& dweights, int threads) {
  if (initial.empty()) wrong("state", "given");
  const Shape s = shape_of(x, weights.at(1).value(), counts, long(initial[0].shape(0)));
  const CellKernels& k = chosen()->cells[cell_index(cell)][s.scalar];
  Call c = common(k, s, x, initial, weights, counts, reverse);
  const int t = s.scalar;
  c.y = data(y, t, {s.steps, s.width}, "y");
  c.saved = data(saved, t, {s.steps, k.saved_row(c)}, "saved");
  c.dy = data(dy, t, {s.steps, s.width}, "the gradient of y");
  for (int i = 0; i < k.states; ++i) {
    c.dfinal[i] = data(dfinal.at(i), t, {s.rows, s.width}, "the gradient of the final state");
    c.dinitial[i] = data(dinitial.at(i), t, {s.rows, s.width}, "the gradient of the initial state");
  }
  c.dx = data(dx, t, {s.steps, s.features}, "the gradient of x");
  c.dweight_ih = data(dweights.at(0).value(), t, {k.gates * s.width, s.features}, "the gradient of weight_ih");
  c.dweight_hh = data(dweights.at(1).value(), t, {k.gates * s.width, s.width}, "the gradient of weight_hh");
  c.dbias_ih = data(dweights.at(2), t, {k.gates * s.width}, "the gradient of bias_ih");
  c.dbias_hh = data(dweights.at(3), t, {k.gates * s.width}, "the gradient of bias_hh");
  if (!c.dbias_ih != !c.dbias_hh) wrong("the gradients of the biases", "both given or both absent");
  run(k.backward, c, lanes_for(s, 2 * k.gates, threads));
}

// A sequence that arrives step by step.
class Stream {
  const CellKernels& kernels_;
  int scalar_;
  long features_, width_;
  std::unique_ptr<void, void (*)(void*)> block_{nullptr, std::free};

 public:
  Stream(const std::string& cell, const std::vector<MaybeArray>& weights)
      : kernels_(chosen()->cells[cell_index(cell)][weights.at(1).value().dtype() == nb::dtype<double>()]) {
    const Array &ih = weights.at(0).value(), &hh = weights.at(1).value();
    if (ih.ndim() != 2 || hh.ndim() != 2 || hh.shape(1) < 1 || ih.shape(1) < 1) wrong("weights", "matrices with columns");
    scalar_ = hh.dtype() == nb::dtype<double>();
    features_ = long(ih.shape(1)), width_ = long(hh.shape(1));
    Call c{};
    c.features = features_, c.width = width_;
    const long rows = kernels_.gates * width_;
    c.weight_ih = data(ih, scalar_, {rows, features_}, "weight_ih");
    c.weight_hh = data(hh, scalar_, {rows, width_}, "weight_hh");
    c.bias_ih = data(weights.at(2), scalar_, {rows}, "bias_ih");
    c.bias_hh = data(weights.at(3), scalar_, {rows}, "bias_hh");
    block_.reset(std::aligned_alloc(64, (kernels_.stream_bytes(c) + 63) / 64 * 64));
    if (!block_) throw std::bad_alloc();
    kernels_.stream_begin(c, block_.get());
  }

  void push(const Array& x, const Array& y) {
    kernels_.stream_push(block_.get(), data(x, scalar_, {features_}, "x"), data(y, scalar_, {width_}, "y"));
  }

  void state(int number, const Array& numbers, bool set) {
    if (number < 0 || number >= kernels_.states) wrong("the number of the state", "one that the cell has");
    kernels_.stream_state(block_.get(), number, data(numbers, scalar_, {width_}, "state"), set);
  }
};

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Native recurrent kernels.";
  m.def("isa", [] { return chosen()->isa; }, "The instruction set that runs.");
  m.def("available", [] {
    std::vector<std::string> names;
    for (const Kernels* k : available()) names.push_back(k->isa);
    return names;
  }, "Instruction sets this processor has, best first.");
  m.def("vector_bytes", [] { return chosen()->vector_bytes; });
  m.def("cells", [] { return std::vector<std::string>(cell_names, cell_names + cell_count); });
  m.def("rate", [](bool wide, double seconds) { return chosen()->rate[wide](seconds); }, nb::arg("float64") = false, nb::arg("seconds") = 0.2,
        "GFLOP/s of the micro-kernel on one core.");
  m.def("saved_width", [](const std::string& cell, bool float64, long width) {
    Call c{};
    c.features = 1, c.width = width;
    return chosen()->cells[cell_index(cell)][float64].saved_row(c);
  }, "Numbers per step that forward keeps for backward.");
  m.def("poison", [](bool on) { poison = on; }, "Tests: fill the workspace with NaN before each call, check its guards after it.");
  m.def("forward", &forward);
  m.def("backward", &backward);
  nb::class_<Stream>(m, "Stream")
      .def(nb::init<const std::string&, const std::vector<MaybeArray>&>())
      .def("push", &Stream::push)
      .def("state", &Stream::state);
  chosen();
}
