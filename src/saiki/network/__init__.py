"""Networks: cells unrolled over batches, stacked in layers, between an encoder and a head."""
