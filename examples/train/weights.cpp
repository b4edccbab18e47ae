#include "weights.h"

using namespace reprise;

void load_weights(SymbolicModel& model, const std::string& name, const std::string& path) {
  const SafeTensors file = load_safetensors(path);
  const auto written = file.metadata.find("model");
  check(written == file.metadata.end() || written->second == name, ErrorKind::Format, path,
        ": expected weights of ", name, ", got those of ",
        written == file.metadata.end() ? "" : written->second);
  try {
    model.load_state_dict(file.tensors);
  } catch (Error& error) {
    error.prepend(path);
    throw;
  }
}

void save_weights(const SymbolicModel& model, const std::string& name, const std::string& path) {
  save_safetensors(path, model.state_dict(), {{"format", "pt"}, {"model", name}});
}
