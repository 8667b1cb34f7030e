// The binding of layers, scans, reservoirs and streams: checks shapes, releases the interpreter lock, passes views to the kernels.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "bind.h"
#include "plan.h"
#include "sides.h"

namespace {

using namespace saiki;

int cell_index(const std::string& cell) {
  for (int i = 0; i < cell_count; ++i)
    if (cell == cell_names[i]) return i;
  throw std::invalid_argument("saiki kernel: no kernel for the cell " + cell);
}

// How many rows there are: the state tells; where it is absent (zeros), every row has a step.
long rows_of(const View& x, nb::tuple state, const int64_t* counts, bool batch_first) {
  if (state.size() == 0) wrong("state", "given");
  if (state[0].is_none()) return x.dimensions == 3 ? x.shape[batch_first ? 0 : 1] : counts ? counts[0] : 0;
  const View first = view(state[0]);
  return first.shape[first.dimensions == 3 ? 1 : 0];
}

Shape shape_of(const View& x, const View& weight_hh, nb::handle counts, bool batch_first, nb::tuple state) {
  if (x.dimensions < 2 || x.dimensions > 3 || weight_hh.dimensions != 2) wrong("x and weight_hh", "of 2 or 3, and of 2 dimensions");
  if (x.scalar > 1) wrong("x", "float32 or float64");
  Shape s{};
  s.scalar = x.scalar, s.features = x.shape[x.dimensions - 1], s.width = weight_hh.shape[1];
  View n;
  if (!counts.is_none()) {
    n = view(counts);
    if (n.dimensions != 1 || n.scalar != 2) wrong("counts and lengths", "int64, of one dimension");
  }
  const int64_t* numbers = reinterpret_cast<const int64_t*>(n.memory);
  if (x.dimensions == 2 && (!numbers || n.shape[0] < 1)) wrong("counts", "given");
  const long rows = s.rows = rows_of(x, state, numbers, batch_first);
  if (x.dimensions == 2) {
    s.time = n.shape[0], s.steps = x.shape[0];
    count_packed(s, numbers, rows);
  } else {
    s.batch_first = batch_first, s.padded = x.shape[batch_first ? 1 : 0];
    if (x.shape[batch_first ? 0 : 1] != rows || (numbers && n.shape[0] != rows)) wrong("x, lengths and state", "of one batch");
    sort_padded(s, numbers);
  }
  if (s.time < 1 || s.features < 1 || s.width < 1) wrong("time, features and width", "at least 1");
  return s;
}

using Kernel = void (*)(const Call&, Team&);

void run(Kernel kernel, Call& call, int gates, int threads) {
  const Plan p = plan(call, gates, threads);
  call.by_units = p.by_units;
  lead(p.lanes, [&](Team& team) { kernel(call, team); });
}

// Both directions of a layer at once, each on half of the threads: neither waits for the other.
void run(Kernel kernel, Call& first, Call& second, int gates, int threads) {
  if (threads % 2) return run(kernel, first, gates, threads), run(kernel, second, gates, threads);
  const Plan p = plan(first, gates, threads / 2), q = plan(second, gates, threads / 2);
  first.by_units = p.by_units, second.by_units = q.by_units;
  const int lanes = worth_waking(products_of(first, gates) + products_of(second, gates)) ? p.lanes + q.lanes : 1;
  lead(lanes, [&](Team& team) { Sides(team, kernel, first, lanes > 1 ? p.lanes : 1, second, lanes > 1 ? q.lanes : 1); });
}

// What forward and backward are given: (cell, x, state, weights, counts or lengths, reverse, batch_first, …).
struct Given {
  Shape shape;
  const CellKernels& kernels;
  Call call{};

  Given(nb::tuple about, size_t many)
      : shape(shape_of(view(checked(about, many)[1]), view(weight(about[3], 1)), about[4], nb::cast<bool>(about[6]), part(about, 2))),
        kernels(chosen()->cells[cell_index(nb::cast<std::string>(about[0]))][shape.scalar]) {
    const int t = shape.scalar;
    const long width = shape.width, columns = kernels.gates * width;
    call.batch = {shape.time, shape.rows, shape.counts.data(), shape.offsets.data(), nb::cast<bool>(about[5]), shape.starts.data(), shape.places.data(), shape.origins.data(), shape.padded};
    call.features = shape.features, call.width = width;
    call.x = data(about[1], t, shape.of(shape.features), "x");
    call.weight_ih = present(weight(about[3], 0), t, {columns, shape.features}, "weight_ih");
    call.weight_hh = present(weight(about[3], 1), t, {columns, width}, "weight_hh");
    call.bias_ih = data(weight(about[3], 2), t, {columns}, "bias_ih");
    call.bias_hh = data(weight(about[3], 3), t, {columns}, "bias_hh");
    each_state(part(about, 2), "state", [&](int i, nb::handle one) { call.initial[i] = one.is_none() ? zeros() : rows(one, "state"); });
  }
  Given(const Given&) = delete;

  // One number for each unit of each row: [rows, width], or [1, rows, width] as torch.nn has it.
  void* rows(nb::handle tensor, const char* name) const {
    if (tensor.is_none()) return nullptr;
    const View v = view(tensor);
    if (v.scalar != shape.scalar) wrong(name, "of the same dtype as the weights");
    const int axes = v.dimensions;
    if (axes < 2 || axes > 3 || (axes == 3 && v.shape[0] != 1) || v.shape[axes - 2] != shape.rows || v.shape[axes - 1] != shape.width)
      wrong(name, "of the shape [rows, width]");
    return v.memory;
  }

  template <class Body> void each_state(nb::tuple parts, const char* name, Body body) const {
    if (int(parts.size()) != kernels.states) wrong(name, "as many tensors as the cell has states");
    for (int i = 0; i < kernels.states; ++i) body(i, parts[i]);
  }

  static nb::object weight(nb::handle weights, int i) {
    const nb::tuple four = nb::cast<nb::tuple>(weights);
    if (four.size() != 4) wrong("weights", "weight_ih, weight_hh, bias_ih, bias_hh");
    return four[i];
  }
  static nb::tuple part(nb::tuple about, int i) { return nb::cast<nb::tuple>(about[i]); }
  size_t number() const { return shape.scalar ? sizeof(double) : sizeof(float); }

 private:
  std::vector<char> zeros_;

  void* zeros() {
    if (zeros_.empty()) zeros_.resize(number() * size_t(shape.rows * shape.width));
    return zeros_.data();
  }
  static nb::tuple checked(nb::tuple about, size_t many) {
    if (about.size() != many) wrong("a direction", "cell, x, state, weights, counts, reverse, batch_first and what is its own");
    return about;
  }
};

// … y, final state, saved.
struct ForwardGiven : Given {
  explicit ForwardGiven(nb::tuple about) : Given(about, 10) {
    const Shape& s = shape;
    call.y = present(about[7], s.scalar, s.of(s.width), "y");
    each_state(part(about, 8), "final state", [&](int i, nb::handle one) { 
      if (one.is_none()) wrong("final state", "given");
      call.final[i] = rows(one, "final state");
    });
    const long row = kernels.saved_row(call);
    call.saved = data(about[9], s.scalar, {s.steps, row}, "saved");
    prefer_large_pages(call.y, number() * size_t(s.lines() * s.width));
    prefer_large_pages(call.saved, number() * size_t(s.steps * row));
  }
};

// … y, saved, dy, the gradients of the final state; those of x, of the state and of the weights.
struct BackwardGiven : Given {
  explicit BackwardGiven(nb::tuple about) : Given(about, 14) {
    const Shape& s = shape;
    Call& c = call;
    const int t = s.scalar;
    const long columns = kernels.gates * s.width;
    c.y = present(about[7], t, s.of(s.width), "y");
    c.saved = present(about[8], t, {s.steps, kernels.saved_row(c)}, "saved");
    c.dy = data(about[9], t, s.of(s.width), "the gradient of y");
    const char* name = "the gradient of a state";
    each_state(part(about, 10), name, [&](int i, nb::handle one) { c.dfinal[i] = rows(one, name); });
    c.dx = data(about[11], t, s.of(s.features), "the gradient of x");
    each_state(part(about, 12), name, [&](int i, nb::handle one) { c.dinitial[i] = rows(one, name); });
    c.dweight_ih = present(weight(about[13], 0), t, {columns, s.features}, "the gradient of weight_ih");
    c.dweight_hh = present(weight(about[13], 1), t, {columns, s.width}, "the gradient of weight_hh");
    c.dbias_ih = data(weight(about[13], 2), t, {columns}, "the gradient of bias_ih");
    c.dbias_hh = data(weight(about[13], 3), t, {columns}, "the gradient of bias_hh");
    if (!c.dbias_ih != !c.dbias_hh) wrong("the gradients of the biases", "both given or both absent");
    prefer_large_pages(c.dx, number() * size_t(s.lines() * s.features));
  }
};

// A layer in one direction, or in both side by side.
template <class Direction> void layer(Kernel CellKernels::*kernel, nb::tuple directions, int threads) {
  if (directions.size() < 1 || directions.size() > 2) wrong("directions", "one or two");
  Direction first(Given::part(directions, 0));
  const CellKernels& kernels = first.kernels;
  if (directions.size() == 1) return run(kernels.*kernel, first.call, kernels.gates, threads);
  Direction second(Given::part(directions, 1));
  if (&second.kernels != &kernels) wrong("both directions", "of one cell and dtype");
  run(kernels.*kernel, first.call, second.call, kernels.gates, threads);
}

void forward(nb::tuple directions, int threads) { layer<ForwardGiven>(&CellKernels::forward, directions, threads); }
void backward(nb::tuple directions, int threads) { layer<BackwardGiven>(&CellKernels::backward, directions, threads); }

// What both directions of a linear recurrence are given, packed: decay [steps, width], initial [rows, width], counts.
struct GivenScan {
  Shape shape;
  Scan scan{};

  GivenScan(nb::handle decay, nb::handle initial, nb::handle counts, bool reverse) {
    const View d = view(decay), first = view(initial), n = view(counts);
    if (d.dimensions != 2 || first.dimensions != 2 || n.dimensions != 1 || n.scalar != 2 || d.scalar > 1)
      wrong("decay, initial and counts", "of 2, 2 and 1 dimensions, counts int64");
    shape.scalar = d.scalar, shape.rows = first.shape[0], shape.steps = d.shape[0], shape.width = d.shape[1], shape.time = n.shape[0];
    if (shape.time < 1 || shape.width < 1) wrong("time and width", "at least 1");
    count_packed(shape, reinterpret_cast<const int64_t*>(n.memory), shape.rows);
    scan.batch = {shape.time, shape.rows, shape.counts.data(), shape.offsets.data(), reverse, shape.starts.data(), shape.places.data(), shape.origins.data(), 0};
    scan.width = shape.width;
    scan.decay = steps(decay, "decay"), scan.initial = rows(initial, "the initial state");
  }
  GivenScan(const GivenScan&) = delete;

  void* steps(nb::handle tensor, const char* name) const { return present(tensor, shape.scalar, {shape.steps, shape.width}, name); }
  void* rows(nb::handle tensor, const char* name) const { return present(tensor, shape.scalar, {shape.rows, shape.width}, name); }

  void run(void (*kernel)(const Scan&, Team&), int threads) {
    constexpr long worth_waking = 1 << 15;  // numbers, some 20 microseconds of one core
    nb::gil_scoped_release release;
    Pool::Lease lease(shape.steps * shape.width < worth_waking ? 1 : threads);
    kernel(scan, lease.team);
  }
};

void scan_forward(nb::handle decay, nb::handle inflow, nb::handle initial, nb::handle counts, bool reverse, nb::handle y, nb::handle final, int threads) {
  GivenScan g(decay, initial, counts, reverse);
  g.scan.inflow = g.steps(inflow, "inflow"), g.scan.y = g.steps(y, "y"), g.scan.final = g.rows(final, "the final state");
  prefer_large_pages(g.scan.y, (g.shape.scalar ? sizeof(double) : sizeof(float)) * size_t(g.shape.steps * g.shape.width));
  g.run(chosen()->scan_forward[g.shape.scalar], threads);
}

void scan_backward(nb::handle decay, nb::handle initial, nb::handle counts, bool reverse, nb::handle y, nb::handle dy, nb::handle dfinal,
                   nb::handle ddecay, nb::handle dinflow, nb::handle dinitial, int threads) {
  GivenScan g(decay, initial, counts, reverse);
  g.scan.y = g.steps(y, "y");
  if (!dy.is_none()) g.scan.dy = g.steps(dy, "the gradient of y");
  if (!dfinal.is_none()) g.scan.dfinal = g.rows(dfinal, "the gradient of the final state");
  g.scan.ddecay = g.steps(ddecay, "the gradient of decay"), g.scan.dinflow = g.steps(dinflow, "the gradient of inflow");
  g.scan.dinitial = g.rows(dinitial, "the gradient of the initial state");
  g.run(chosen()->scan_backward[g.shape.scalar], threads);
}

// C = A B', with `turned` A' B, with neither A B: the panel GEMM on its own.
void product(nb::handle a, nb::handle b, nb::handle c, bool across, bool turned, int threads) {
  const View left = view(a), right = view(b), to = view(c);
  if (left.dimensions != 2 || right.dimensions != 2 || to.dimensions != 2 || left.scalar > 1 || (across && turned)) wrong("a, b and c", "matrices of numbers");
  Matrices m{};
  m.across = across, m.turned = turned;
  m.rows = left.shape[turned], m.depth = left.shape[!turned], m.columns = right.shape[!across];
  m.a = left.memory, m.b = present(b, left.scalar, across ? std::vector<long>{m.columns, m.depth} : std::vector<long>{m.depth, m.columns}, "b");
  m.c = present(c, left.scalar, {m.rows, m.columns}, "c");
  if (m.rows < 1 || m.columns < 1 || m.depth < 1) wrong("a, b and c", "not empty");
  nb::gil_scoped_release release;
  Pool::Lease lease(threads);
  chosen_steps().product[left.scalar](m, lease.team);
}

void reservoir(nb::handle drive, nb::handle starts, nb::handle columns, nb::handle weights, double leak, bool squash, nb::handle initial,
               nb::handle counts, bool reverse, nb::handle y, nb::handle final, int threads) {
  const View d = view(drive), first = view(initial), n = view(counts), w = view(weights);
  if (d.dimensions != 2 || first.dimensions != 2 || n.dimensions != 1 || n.scalar != 2 || d.scalar > 1 || w.dimensions != 1)
    wrong("drive, initial, counts and weights", "of 2, 2, 1 and 1 dimensions, counts int64");
  Shape s{};
  s.scalar = d.scalar, s.rows = first.shape[0], s.steps = d.shape[0], s.width = d.shape[1], s.time = n.shape[0];
  if (s.time < 1 || s.width < 1) wrong("time and width", "at least 1");
  count_packed(s, reinterpret_cast<const int64_t*>(n.memory), s.rows);
  Reservoir r{};
  r.batch = {s.time, s.rows, s.counts.data(), s.offsets.data(), reverse, s.starts.data(), s.places.data(), s.origins.data(), 0};
  r.width = s.width, r.leak = leak, r.squash = squash;
  const long entries = w.shape[0];
  r.starts = static_cast<const int64_t*>(present(starts, 2, {s.width + 1}, "starts"));
  r.columns = static_cast<const int32_t*>(present(columns, 3, {entries}, "columns"));
  for (long u = 0; u < s.width; ++u)
    if (r.starts[u] > r.starts[u + 1]) wrong("starts", "non-decreasing");
  if (r.starts[0] != 0 || r.starts[s.width] != entries) wrong("starts", "from 0 to the number of weights");
  for (long k = 0; k < entries; ++k)
    if (r.columns[k] < 0 || r.columns[k] >= s.width) wrong("columns", "units of the reservoir");
  r.weights = present(weights, s.scalar, {entries}, "weights");
  r.drive = present(drive, s.scalar, {s.steps, s.width}, "drive");
  r.initial = present(initial, s.scalar, {s.rows, s.width}, "the initial state");
  r.y = present(y, s.scalar, {s.steps, s.width}, "y"), r.final = present(final, s.scalar, {s.rows, s.width}, "the final state");
  prefer_large_pages(r.y, (s.scalar ? sizeof(double) : sizeof(float)) * size_t(s.steps * s.width));
  constexpr long worth_waking = 1 << 15, worth_a_barrier = 1 << 12;  // products of a call, and of one step
  const long products = entries + 10 * s.width;
  const bool share = s.steps * products >= worth_waking && (s.rows >= threads || products >= worth_a_barrier);
  nb::gil_scoped_release release;
  Pool::Lease lease(share ? threads : 1);
  chosen()->reservoir[s.scalar](r, lease.team);
}

// A sequence that arrives step by step.
class Stream {
  const CellKernels& kernels_;
  int scalar_;
  int lanes_ = 1;
  long features_, width_;
  std::unique_ptr<void, void (*)(void*)> block_{nullptr, std::free};

 public:
  Stream(const std::string& cell, nb::tuple weights, int threads)
      : kernels_(chosen()->cells[cell_index(cell)][view(Given::weight(weights, 1)).scalar == 1]) {
    const View ih = view(weights[0]), hh = view(weights[1]);
    if (ih.dimensions != 2 || hh.dimensions != 2 || hh.shape[1] < 1 || ih.shape[1] < 1) wrong("weights", "matrices with columns");
    if (hh.scalar > 1) wrong("weights", "float32 or float64");
    scalar_ = hh.scalar;
    features_ = ih.shape[1], width_ = hh.shape[1];
    Call c{};
    c.features = features_, c.width = width_;
    const long rows = kernels_.gates * width_;
    c.weight_ih = data(weights[0], scalar_, {rows, features_}, "weight_ih");
    c.weight_hh = data(weights[1], scalar_, {rows, width_}, "weight_hh");
    c.bias_ih = data(weights[2], scalar_, {rows}, "bias_ih");
    c.bias_hh = data(weights[3], scalar_, {rows}, "bias_hh");
    const size_t bytes = kernels_.stream_bytes(c), page = size_t(2) << 20, whole = bytes < page ? 64 : page;
    block_.reset(std::aligned_alloc(whole, (bytes + whole - 1) / whole * whole));
    if (!block_) throw std::bad_alloc();
    prefer_large_pages(block_.get(), bytes);
    // A step reads every weight once: what the second-level cache of one core does not hold is read faster by several.
    constexpr size_t worth_waking = size_t(3) << 19;
    constexpr long of_one_lane = 1L << 20;
    if (bytes > worth_waking) lanes_ = int(std::min<long>(threads, (long(bytes) + of_one_lane - 1) / of_one_lane));
    kernels_.stream_begin(c, block_.get());
  }

  void push(nb::handle x, nb::handle y) {
    const void* from = present(x, scalar_, {features_}, "x");
    void* to = present(y, scalar_, {width_}, "y");
    if (from == to) wrong("y", "other memory than x, which is still read while y is written");
    if (lanes_ > 1) return lead(lanes_, [&](Team& team) { kernels_.stream_push(block_.get(), from, to, team); });
    Team alone{};  // small steps cost less than a pool's lock
    alone.lanes = 1;
    kernels_.stream_push(block_.get(), from, to, alone);
  }

  void state(int number, nb::handle numbers, bool set) {
    if (number < 0 || number >= kernels_.states) wrong("the number of the state", "one that the cell has");
    void* const memory = present(numbers, scalar_, {width_}, "state");
    const auto copy = [&](Team&) { kernels_.stream_state(block_.get(), number, memory, set); };
    if (lanes_ > 1) return lead(1, copy);  // waits for a step that another thread of the interpreter makes
    Team alone{};
    copy(alone);
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
  m.def("borrows_threads", [] { return Pool::instance().borrows(); }, "Whether the threads are those of torch's OpenMP.");
  m.def("cells", [] { return std::vector<std::string>(cell_names, cell_names + cell_count); });
  m.def("rate", [](bool wide, double seconds) { return chosen()->rate[wide](seconds); }, nb::arg("float64") = false, nb::arg("seconds") = 0.2,
        "GFLOP/s of the micro-kernel on one core.");
  m.def("saved_width", [](const std::string& cell, bool float64, long width) {
    Call c{};
    c.features = 1, c.width = width;
    return chosen()->cells[cell_index(cell)][float64].saved_row(c);
  }, "Numbers per step that forward keeps for backward, and whether backward sees y.");
  m.def("poison", [](bool on) { poison = on; }, "Tests: fill the workspace with NaN before each call, check its guards after it.");
  m.def("know_torch", &know_torch, "Tell once what torch.float32, torch.float64, torch.int64, torch.int32 and torch.Tensor are.");
  m.def("forward", &forward, "A layer: one or two directions, (cell, x, state, weights, counts, reverse, batch_first, y, final, saved).");
  m.def("backward", &backward, "The same, (cell, …, batch_first, y, saved, dy, dfinal, dx, dstate, dweights).");
  bind_steps(m);
  m.def("scan_forward", &scan_forward);
  m.def("product", &product, nb::arg(), nb::arg(), nb::arg(), nb::arg("across") = false, nb::arg("turned") = false, nb::arg("threads") = 1,
        "One product of matrices by the panel GEMM, into c.");
  m.def("reservoir", &reservoir);
  m.def("scan_backward", &scan_backward, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg(),
        nb::arg(), nb::arg(), nb::arg());
  nb::class_<Stream>(m, "Stream")
      .def(nb::init<const std::string&, nb::tuple, int>())
      .def("push", &Stream::push)
      .def("state", &Stream::state);
  chosen();
}
