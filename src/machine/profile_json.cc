#include "machine/json_fields.h"
#include "machine/profile.h"

namespace hone::machine {
namespace {

using base::Json;

template <class Row, class Write>
Json json_rows(const std::vector<Row>& rows, Write&& write) {
    Json out = Json::array();
    for (const Row& row : rows) out.push_back(write(row));
    return out;
}

Json facts_json(const MachineFacts& facts) {
    Json json = {{"cpu_model", facts.cpu_model},
                 {"os", facts.os},
                 {"hypervisor", facts.hypervisor},
                 {"cpus_online", facts.cpus_online},
                 {"cpus_allowed", facts.cpus_allowed},
                 {"cpu_quota", json_number(facts.cpu_quota)},
                 {"sockets", facts.sockets},
                 {"numa_nodes", facts.numa_nodes},
                 {"threads_per_core", facts.threads_per_core},
                 {"memory_bytes", facts.memory_bytes},
                 {"memory_limit_bytes", facts.memory_limit_bytes},
                 {"memory_available_bytes", facts.memory_available_bytes}};
    json["caches"] = json_rows(facts.caches, [](const CacheFacts& cache) {
        return Json{{"level", cache.level},
                    {"type", cache.type},
                    {"bytes", cache.bytes},
                    {"shared_by_cpus", cache.shared_by_cpus}};
    });
    json["isa"] = facts.isa;
    json["isa_flags"] = facts.isa_flags;
    json["perf_counters"] = facts.perf_counters;
    json["huge_pages"] = facts.huge_pages;
    json["devices"] = json_rows(facts.devices, [](const DeviceFacts& device) {
        return Json{
            {"kind", device.kind}, {"name", device.name}, {"memory_bytes", device.memory_bytes}};
    });
    return json;
}

void read_facts(JsonFields& fields, MachineFacts& facts) {
    fields.optional("cpu_model", facts.cpu_model);
    fields.optional("os", facts.os);
    fields.optional("hypervisor", facts.hypervisor);
    fields.optional("cpus_online", facts.cpus_online);
    fields.optional("cpus_allowed", facts.cpus_allowed);
    fields.optional("cpu_quota", facts.cpu_quota);
    fields.optional("sockets", facts.sockets);
    fields.optional("numa_nodes", facts.numa_nodes);
    fields.optional("threads_per_core", facts.threads_per_core);
    fields.optional("memory_bytes", facts.memory_bytes);
    fields.optional("memory_limit_bytes", facts.memory_limit_bytes);
    fields.optional("memory_available_bytes", facts.memory_available_bytes);
    fields.rows("caches", facts.caches, [](JsonFields& row, CacheFacts& cache) {
        row.required("level", cache.level);
        row.optional("type", cache.type);
        row.required("bytes", cache.bytes);
        row.optional("shared_by_cpus", cache.shared_by_cpus);
    });
    fields.optional("isa", facts.isa);
    fields.optional("isa_flags", facts.isa_flags);
    fields.optional("perf_counters", facts.perf_counters);
    fields.optional("huge_pages", facts.huge_pages);
    fields.rows("devices", facts.devices, [](JsonFields& row, DeviceFacts& device) {
        row.required("kind", device.kind);
        row.optional("name", device.name);
        row.optional("memory_bytes", device.memory_bytes);
    });
}

// A ceiling divides measurements, so it is a positive number or the file is wrong.
void require_positive(JsonFields& row, const char* key, double value) {
    if (!(value > 0) || value > 1e15) row.reject(key, "a ceiling must be positive and finite");
}

void read_ceilings(JsonFields& fields, MachineProfile& profile) {
    fields.rows("bandwidth", profile.bandwidth, [](JsonFields& row, BandwidthPoint& point) {
        row.required("bytes", point.bytes);
        row.required("threads", point.threads);
        row.required("gb_per_s", point.gb_per_s);
        point.gb_per_s_best = point.gb_per_s;
        row.optional("gb_per_s_best", point.gb_per_s_best);
        require_positive(row, "gb_per_s", point.gb_per_s);
        require_positive(row, "gb_per_s_best", point.gb_per_s_best);
    });
    fields.rows("peaks", profile.peaks, [](JsonFields& row, PeakPoint& point) {
        row.required("operation", point.operation);
        row.optional("isa", point.isa);
        row.required("threads", point.threads);
        row.required("g_per_s", point.g_per_s);
        require_positive(row, "g_per_s", point.g_per_s);
    });
    fields.rows("overheads", profile.overheads, [](JsonFields& row, OverheadPoint& point) {
        row.required("what", point.what);
        row.required("threads", point.threads);
        row.required("ns", point.ns);
        if (!(point.ns >= 0) || point.ns > 1e15) row.reject("ns", "out of range");
    });
}

}  // namespace

Json to_json(const MachineProfile& profile) {
    Json json = {{"fingerprint", profile.fingerprint},
                 {"measured_at", profile.measured_at},
                 {"facts", facts_json(profile.facts)}};
    json["bandwidth"] = json_rows(profile.bandwidth, [](const BandwidthPoint& point) {
        return Json{{"bytes", point.bytes},
                    {"threads", point.threads},
                    {"gb_per_s", json_number(point.gb_per_s)},
                    {"gb_per_s_best", json_number(point.gb_per_s_best)}};
    });
    json["peaks"] = json_rows(profile.peaks, [](const PeakPoint& point) {
        return Json{{"operation", point.operation},
                    {"isa", point.isa},
                    {"threads", point.threads},
                    {"g_per_s", json_number(point.g_per_s)}};
    });
    json["overheads"] = json_rows(profile.overheads, [](const OverheadPoint& point) {
        return Json{
            {"what", point.what}, {"threads", point.threads}, {"ns", json_number(point.ns)}};
    });
    return json;
}

base::Result<MachineProfile> profile_from_json(const Json& json) {
    MachineProfile profile;
    base::Status status;
    JsonFields fields(json, "$", status);
    fields.required("fingerprint", profile.fingerprint);
    fields.optional("measured_at", profile.measured_at);
    fields.section("facts", [&](JsonFields& facts) { read_facts(facts, profile.facts); });
    read_ceilings(fields, profile);
    HONE_TRY_STATUS(status);
    return profile;
}

}  // namespace hone::machine
