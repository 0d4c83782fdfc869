#include "base/json.h"
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

void read_reached(JsonFields& fields, MachineProfile& profile) {
    fields.rows("gemms", profile.gemms, [](JsonFields& row, GemmPoint& point) {
        row.required("format", point.format);
        row.required("activation", point.activation);
        row.required("isa", point.isa);
        row.required("rows", point.rows);
        row.required("columns", point.columns);
        row.required("m", point.m);
        row.required("threads", point.threads);
        row.required("ns", point.ns);
        row.required("weight_bytes", point.weight_bytes);
        require_positive(row, "ns", point.ns);
        if (point.rows == 0 || point.columns == 0 || point.m == 0) row.reject("m", "empty product");
    });
    fields.rows("latencies", profile.latencies, [](JsonFields& row, LatencyPoint& point) {
        row.required("bytes", point.bytes);
        row.optional("readers", point.readers);
        row.required("ns", point.ns);
        require_positive(row, "ns", point.ns);
    });
    fields.rows("files", profile.files, [](JsonFields& row, FilePoint& point) {
        row.required("how", point.how);
        row.required("cold", point.cold);
        row.required("bytes", point.bytes);
        row.required("gb_per_s", point.gb_per_s);
        require_positive(row, "gb_per_s", point.gb_per_s);
    });
    fields.section("clock", [&](JsonFields& clock) {
        ClockRate& rate = profile.clock.emplace();
        clock.required("ghz", rate.ghz);
        rate.ghz_min = rate.ghz_max = rate.ghz;
        clock.optional("ghz_min", rate.ghz_min);
        clock.optional("ghz_max", rate.ghz_max);
        clock.optional("drift_share", rate.drift_share);
        require_positive(clock, "ghz", rate.ghz);
    });
    fields.rows("left_out", profile.left_out, [](JsonFields& row, LeftOut& item) {
        row.required("what", item.what);
        row.optional("reason", item.reason);
    });
}

void read_ceilings(JsonFields& fields, MachineProfile& profile) {
    fields.rows("bandwidth", profile.bandwidth, [](JsonFields& row, BandwidthPoint& point) {
        row.required("bytes", point.bytes);
        row.required("threads", point.threads);
        row.required("gb_per_s", point.gb_per_s);
        point.gb_per_s_best = point.gb_per_s;
        row.optional("gb_per_s_best", point.gb_per_s_best);
        row.optional("operation", point.operation);
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
    read_reached(fields, profile);
}

void add_reached(Json& json, const MachineProfile& profile) {
    json["gemms"] = json_rows(profile.gemms, [](const GemmPoint& point) {
        return Json{{"format", point.format},
                    {"activation", point.activation},
                    {"isa", point.isa},
                    {"rows", point.rows},
                    {"columns", point.columns},
                    {"m", point.m},
                    {"threads", point.threads},
                    {"ns", json_number(point.ns)},
                    {"weight_bytes", point.weight_bytes},
                    {"g_per_s", json_number(point.g_per_s())}};
    });
    json["latencies"] = json_rows(profile.latencies, [](const LatencyPoint& point) {
        return Json{
            {"bytes", point.bytes}, {"readers", point.readers}, {"ns", json_number(point.ns)}};
    });
    json["files"] = json_rows(profile.files, [](const FilePoint& point) {
        return Json{{"how", point.how},
                    {"cold", point.cold},
                    {"bytes", point.bytes},
                    {"gb_per_s", json_number(point.gb_per_s)}};
    });
    if (profile.clock) {
        json["clock"] = {{"ghz", json_number(profile.clock->ghz)},
                         {"ghz_min", json_number(profile.clock->ghz_min)},
                         {"ghz_max", json_number(profile.clock->ghz_max)},
                         {"drift_share", json_number(profile.clock->drift_share)}};
    }
    json["left_out"] = json_rows(profile.left_out, [](const LeftOut& item) {
        return Json{{"what", item.what}, {"reason", item.reason}};
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
                    {"gb_per_s_best", json_number(point.gb_per_s_best)},
                    {"operation", point.operation}};
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
    add_reached(json, profile);
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
