// The cells that run step by step, compiled once per instruction set like kernels.cc.
#include "cfc.h"
#include "elementwise.h"
#include "elman_steps.h"
#include "gru_d.h"
#include "lstm_steps.h"
#include "product.h"
#include "rhn.h"
#include "slstm.h"
#include "steploop.h"

namespace saiki::SAIKI_ISA {

template <class Cell> constexpr StepKernels stepwise = {Cell::sees, Cell::states, Cell::outputs, Cell::vectors, saved_row_of<Cell>, steps_forward<Cell>, steps_backward<Cell>};

#define SAIKI_BOTH(Cell) {stepwise<Cell<float>>, stepwise<Cell<double>>}

extern const StepTable step_table;
const StepTable step_table = {{SAIKI_BOTH(ElmanSteps), SAIKI_BOTH(GruSteps), SAIKI_BOTH(LstmSteps), SAIKI_BOTH(Slstm), SAIKI_BOTH(Rhn),
                               SAIKI_BOTH(IndRnn), SAIKI_BOTH(Sru), SAIKI_BOTH(Lru), SAIKI_BOTH(MinGru), SAIKI_BOTH(GruD), SAIKI_BOTH(CfC)},
                              {matrix_product<float>, matrix_product<double>}};

}  // namespace saiki::SAIKI_ISA
