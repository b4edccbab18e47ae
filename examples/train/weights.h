#pragma once
// Weights of a model in a safetensors file that says which model they belong to.

#include <reprise/reprise.h>

/// Format error naming the file when it holds another model.
void load_weights(reprise::SymbolicModel& model, const std::string& name, const std::string& path);

void save_weights(const reprise::SymbolicModel& model, const std::string& name,
                  const std::string& path);
