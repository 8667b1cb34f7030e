// A torch tensor as its memory and sizes: through DLPack's table of functions where torch has one, else through Python attributes.
#pragma once
#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace nb = nanobind;

namespace saiki {

// A compact tensor in this machine's memory.
struct View {
  char* memory = nullptr;
  int scalar = -1;  // 0 float32, 1 float64, 2 int64, 3 int32
  int dimensions = 0;
  long shape[3] = {0, 0, 0};
};

// What is used of DLPack 1 (dlpack.h: DLTensor, DLPackExchangeAPI), laid out as there.
struct DLPackTensor {
  char* data;
  int32_t device, device_number, dimensions;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t offset;

  int scalar() const {
    constexpr int integer = 0, real = 2;
    if (lanes != 1) return -1;
    if (code == real) return bits == 32 ? 0 : bits == 64 ? 1 : -1;
    return code != integer ? -1 : bits == 64 ? 2 : bits == 32 ? 3 : -1;
  }
  bool compact() const {
    int64_t next = 1;
    bool dense = true;
    for (int i = dimensions; i-- > 0; next *= shape[i]) {
      if (shape[i] == 0) return true;
      dense = dense && (!strides || shape[i] == 1 || strides[i] == next);
    }
    return dense;
  }
};
struct DLPackExchange {
  uint32_t major, minor;
  DLPackExchange* previous;
  void *allocate, *own, *give;
  int (*borrow)(void* tensor, DLPackTensor*);
  void* stream;
};

// What `view` knows of torch; set once by `know_torch`. `exchange` is null where torch has none.
inline PyObject *name_of_dtype, *name_of_shape, *name_of_pointer, *name_of_compact, *name_of_cpu;
inline PyObject *dtypes[4], *tensor_type;
inline const DLPackExchange* exchange;

inline void know_torch(nb::tuple types, nb::object tensor) {
  name_of_dtype = PyUnicode_InternFromString("dtype");
  name_of_shape = PyUnicode_InternFromString("shape");
  name_of_pointer = PyUnicode_InternFromString("data_ptr");
  name_of_compact = PyUnicode_InternFromString("is_contiguous");
  name_of_cpu = PyUnicode_InternFromString("is_cpu");
  for (int i = 0; i < 4; ++i) dtypes[i] = nb::object(types[i]).release().ptr();
  tensor_type = nb::object(tensor).release().ptr();
  const nb::object capsule = nb::getattr(tensor, "__dlpack_c_exchange_api__", nb::none());
  if (!PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api")) return;
  const auto* found = static_cast<const DLPackExchange*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (found->major == 1 && found->borrow) exchange = found;
}

inline nb::object checked(PyObject* o) {
  if (!o) throw nb::python_error();
  return nb::steal(o);
}

[[noreturn]] inline void no_view(const char* what) { throw std::invalid_argument(std::string("saiki kernel: tensors must be ") + what); }

inline View view_by_attributes(nb::handle tensor) {
  const auto get = [&](PyObject* name) { return checked(PyObject_GetAttr(tensor.ptr(), name)); };
  const auto call = [&](PyObject* name) { return checked(PyObject_CallMethodNoArgs(tensor.ptr(), name)); };
  View v;
  const nb::object dtype = get(name_of_dtype), shape = get(name_of_shape);
  for (int i = 0; i < 4; ++i)
    if (dtype.ptr() == dtypes[i]) v.scalar = i;
  v.dimensions = int(PyTuple_GET_SIZE(shape.ptr()));
  for (int i = 0; i < v.dimensions && i < 3; ++i) v.shape[i] = PyLong_AsLong(PyTuple_GET_ITEM(shape.ptr(), i));
  if (get(name_of_cpu).ptr() != Py_True) no_view("on the CPU");
  if (call(name_of_compact).ptr() != Py_True) no_view("contiguous");
  v.memory = reinterpret_cast<char*>(PyLong_AsUnsignedLongLong(call(name_of_pointer).ptr()));
  if (PyErr_Occurred()) throw nb::python_error();
  return v;
}

inline View view(nb::handle tensor) {
  View v;
  DLPackTensor t;
  if (exchange && PyObject_TypeCheck(tensor.ptr(), reinterpret_cast<PyTypeObject*>(tensor_type)) && exchange->borrow(tensor.ptr(), &t) == 0) {
    constexpr int cpu = 1;
    if (t.device != cpu) no_view("on the CPU");
    if (!t.compact()) no_view("contiguous");
    v.memory = t.data + t.offset, v.scalar = t.scalar(), v.dimensions = t.dimensions;
    for (int i = 0; i < v.dimensions && i < 3; ++i) v.shape[i] = long(t.shape[i]);
  } else {
    PyErr_Clear();
    v = view_by_attributes(tensor);
  }
  long count = 1;
  for (int i = 0; i < v.dimensions && i < 3; ++i) count *= v.shape[i];
  if (!v.memory && count) no_view("with memory of their own");
  if (v.scalar < 0) no_view("float32, float64, int64 or int32");
  return v;
}

}  // namespace saiki
