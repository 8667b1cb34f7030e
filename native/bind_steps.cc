// The binding of cells step by step: checks what Python gives, and passes views to the step kernels.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"

namespace {

using namespace saiki;

// A cell step by step, packed. `input` is (weight, bias, gain), `products` are (weight, bias, gain, column of the gates that shares its
// gradient), `vectors` tensors of one dimension, `how` (coupled, relu, before, number of transitions, whether x goes up itself).
struct GivenSteps {
  Shape shape;
  const StepKernels& kernels;
  Steps steps{};
  long parts = 0, up = 0;  // numbers of all parts of the state; of those that go up

  GivenSteps(const std::string& cell, nb::handle x, nb::tuple input, nb::tuple initial, nb::tuple products, nb::tuple vectors, nb::handle zones,
             nb::handle mask, nb::handle counts, bool reverse, nb::tuple how, long width)
      : kernels(chosen_steps().cells[index(cell)][view(x).scalar == 1]) {
    const View g = view(x), n = view(counts);
    if (g.dimensions != 2 || g.scalar > 1 || n.dimensions != 1 || n.scalar != 2) wrong("x and counts", "of 2 and 1 dimensions, counts int64");
    if (int(initial.size()) != kernels.states) wrong("state", "as many tensors as the cell has parts");
    if (width < 1 || how.size() != 5) wrong("width and options", "at least 1, and five");
    const View h = view(initial[0]);
    shape.scalar = g.scalar, shape.rows = h.shape[0], shape.steps = g.shape[0], shape.time = n.shape[0], shape.width = width;
    if (shape.time < 1) wrong("time", "at least 1");
    count_packed(shape, reinterpret_cast<const int64_t*>(n.memory), shape.rows);
    steps.batch = {shape.time, shape.rows, shape.counts.data(), shape.offsets.data(), reverse, shape.starts.data(), shape.places.data(), shape.origins.data(), 0};
    steps.width = width;
    take_input(g, input);
    steps.coupled = nb::cast<bool>(how[0]), steps.relu = nb::cast<bool>(how[1]), steps.before = nb::cast<bool>(how[2]);
    steps.transitions = nb::cast<int>(how[3]), steps.highway = nb::cast<bool>(how[4]);
    if (steps.highway && g.shape[1] != width) wrong("x", "as wide as the cell");
    for (int s = 0; s < kernels.states; ++s) {
      const View part = view(initial[s]);
      if (part.dimensions != 2 || part.scalar != shape.scalar || part.shape[0] != shape.rows) wrong("state", "of one batch and dtype");
      steps.size[s] = part.shape[1], steps.initial[s] = part.memory;
      if (s && steps.size[s] != width) wrong("a state behind the first", "as wide as the cell");
      parts += steps.size[s];
      if (s < kernels.outputs) up += steps.size[s];
    }
    take_products(products);
    if (int(vectors.size()) > kernels.vectors) wrong("vectors", "no more than the cell has");
    for (int v = 0; v < int(vectors.size()); ++v) {
      if (nb::handle(vectors[v]).is_none()) continue;
      steps.vector_size[v] = view(vectors[v]).shape[0];
      steps.vector[v] = present(vectors[v], shape.scalar, {steps.vector_size[v]}, "a vector");
    }
    if (!zones.is_none()) {
      const View z = view(zones);
      steps.zone_row = z.dimensions == 2 && z.shape[0] == 1 && shape.steps != 1 ? 0 : z.shape[1];
      const long columns = steps.size[0] + (kernels.states > 1 ? width : 0);
      steps.zones = present(zones, shape.scalar, {steps.zone_row ? shape.steps : 1, columns}, "zones");
    }
    steps.mask = data(mask, shape.scalar, {shape.rows, steps.size[0]}, "mask");
  }
  GivenSteps(const GivenSteps&) = delete;

  static int index(const std::string& cell) {
    for (int i = 0; i < step_count; ++i)
      if (cell == step_names[i]) return i;
    throw std::invalid_argument("saiki kernel: no step kernel for the cell " + cell);
  }

  void* in_steps(nb::handle tensor, long columns, const char* name) const { return data(tensor, shape.scalar, {shape.steps, columns}, name); }

  void take_input(const View& x, nb::tuple input) {
    if (input.size() != 3) wrong("input", "weight, bias, gain");
    Input& in = steps.input;
    in.x = x.memory, in.features = x.shape[1];
    steps.columns = view(input[0]).shape[0];
    if (in.features < 1 || steps.columns < 1) wrong("x and its weight", "with columns");
    in.weight = present(input[0], shape.scalar, {steps.columns, in.features}, "the weight of x");
    in.bias = data(input[1], shape.scalar, {steps.columns}, "the bias of x");
    in.gain = data(input[2], shape.scalar, {steps.columns}, "the gain of x");
  }

  void take_products(nb::tuple products) {
    if (int(products.size()) > max_products || steps.transitions > int(products.size())) wrong("products", "at most 32, transitions among them");
    steps.products = int(products.size());
    for (int k = 0; k < steps.products; ++k) {
      const nb::tuple one = nb::cast<nb::tuple>(products[k]);
      Product& p = steps.product[k];
      const View w = view(one[0]);
      p.rows = w.shape[0], p.depth = w.shape[1];
      p.weight = present(one[0], shape.scalar, {p.rows, p.depth}, "the weight of a product");
      p.bias = data(one[1], shape.scalar, {p.rows}, "the bias of a product");
      p.gain = data(one[2], shape.scalar, {p.rows}, "the gain of a product");
      p.shared = nb::cast<long>(one[3]);
      if (p.shared >= 0 && p.shared > steps.columns - p.rows) wrong("shared columns", "within the gates");
    }
  }

  void run(void (*kernel)(const Steps&, Team&), int threads) {
    constexpr double worth_waking = 1e6;  // products, some 20 microseconds of one core
    double work = double(steps.columns) * double(16 + steps.input.features);
    for (int k = 0; k < steps.products; ++k) work += double(steps.product[k].rows * steps.product[k].depth);
    const int lanes = work * double(shape.steps) < worth_waking || shape.rows < 1 ? 1 : threads;
    lead(lanes, [&](Team& team) { kernel(steps, team); });
  }
};

// `about` is what GivenSteps takes, behind the cell.
GivenSteps given_steps(const std::string& cell, nb::tuple about) {
  if (about.size() != 11) wrong("a call", "x, input, state, products, vectors, zones, mask, counts, reverse, how, width");
  return {cell, about[0], nb::cast<nb::tuple>(about[1]), nb::cast<nb::tuple>(about[2]), nb::cast<nb::tuple>(about[3]), nb::cast<nb::tuple>(about[4]),
          about[5], about[6], about[7], nb::cast<bool>(about[8]), nb::cast<nb::tuple>(about[9]), nb::cast<long>(about[10])};
}

std::pair<long, bool> steps_saved(const std::string& cell, nb::tuple about) {
  GivenSteps g = given_steps(cell, about);
  return {g.kernels.saved_row(g.steps), g.kernels.sees};
}

void steps_forward(const std::string& cell, nb::tuple about, nb::handle y, nb::tuple final, nb::handle saved, nb::tuple entered, int threads) {
  GivenSteps g = given_steps(cell, about);
  Steps& s = g.steps;
  s.y = g.in_steps(y, g.up, "y");
  s.saved = g.in_steps(saved, g.kernels.saved_row(s), "saved");
  for (int i = 0; i < g.kernels.states; ++i) s.final[i] = present(final[i], g.shape.scalar, {g.shape.rows, s.size[i]}, "final state");
  for (int k = 0; k < s.products && s.saved; ++k) s.product[k].entered = g.in_steps(entered[k], s.product[k].depth, "what was entered");
  const size_t row = (g.shape.scalar ? sizeof(double) : sizeof(float)) * size_t(g.shape.steps);
  prefer_large_pages(s.saved, row * size_t(g.kernels.saved_row(s)));
  prefer_large_pages(s.y, row * size_t(g.up));
  g.run(g.kernels.forward, threads);
}

// Gradients: of x (or None) and of its weight, bias and gain; of the state; of weight, bias and gain of each product; of the vectors.
void steps_backward(const std::string& cell, nb::tuple about, nb::handle y, nb::handle saved, nb::tuple entered, nb::handle dy, nb::tuple dfinal, nb::tuple dinput,
                    nb::tuple dinitial, nb::tuple dproducts, nb::tuple dvectors, int threads) {
  GivenSteps g = given_steps(cell, about);
  Steps& s = g.steps;
  const int t = g.shape.scalar;
  s.y = g.kernels.sees ? present(y, t, {g.shape.steps, g.up}, "y") : nullptr;
  s.saved = g.in_steps(saved, g.kernels.saved_row(s), "saved");
  s.dy = g.in_steps(dy, g.up, "the gradient of y");
  Input& in = s.input;
  in.dx = g.in_steps(dinput[0], in.features, "the gradient of x");
  in.dweight = present(dinput[1], t, {s.columns, in.features}, "the gradient of a weight");
  in.dbias = data(dinput[2], t, {s.columns}, "the gradient of a bias"), in.dgain = data(dinput[3], t, {s.columns}, "the gradient of a gain");
  prefer_large_pages(in.dx, (t ? sizeof(double) : sizeof(float)) * size_t(g.shape.steps * in.features));
  for (int i = 0; i < g.kernels.states; ++i) {
    s.dfinal[i] = data(dfinal[i], t, {g.shape.rows, s.size[i]}, "the gradient of a state");
    s.dinitial[i] = present(dinitial[i], t, {g.shape.rows, s.size[i]}, "the gradient of a state");
  }
  for (int k = 0; k < s.products; ++k) {
    Product& p = s.product[k];
    const nb::tuple one = nb::cast<nb::tuple>(dproducts[k]);
    p.entered = present(entered[k], t, {g.shape.steps, p.depth}, "what was entered");
    p.dweight = present(one[0], t, {p.rows, p.depth}, "the gradient of a weight");
    p.dbias = data(one[1], t, {p.rows}, "the gradient of a bias"), p.dgain = data(one[2], t, {p.rows}, "the gradient of a gain");
  }
  for (int v = 0; v < int(dvectors.size()); ++v) s.dvector[v] = data(dvectors[v], t, {s.vector_size[v]}, "the gradient of a vector");
  g.run(g.kernels.backward, threads);
}

}  // namespace

void saiki::bind_steps(nb::module_& m) {
  m.def("step_cells", [] { return std::vector<std::string>(step_names, step_names + step_count); });
  m.def("steps_saved", &steps_saved, "Numbers per step that forward keeps for backward, and whether backward sees y.");
  m.def("steps_forward", &steps_forward, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
  m.def("steps_backward", &steps_backward, nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(),
        nb::arg(), nb::arg(), nb::arg(), nb::arg());
}
