// Calls a scheduler with Node's own gRPC, knowing memory.proto alone: node client.js PROTO ADDRESS
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [proto, address] = process.argv.slice(2);
const loaded = loader.loadSync(proto, { keepCase: true, longs: Number, enums: String });
const { memory } = grpc.loadPackageDefinition(loaded);
const client = new memory.MemoryService(address, grpc.credentials.createInsecure());

function call(name, request) {
  return new Promise((resolve) => {
    client[name](request, (error, answer) =>
      resolve(error ? { code: grpc.status[error.code], text: error.details } : answer)
    );
  });
}

async function main() {
  const told = {};
  told.status = await call("GetSchedulerStatus", {});
  told.pause = await call("PauseJob", { job_name: "nightly", reason: "from Node" });
  told.job = await call("GetJob", { job_name: "nightly" });
  told.unknown = await call("GetJob", { job_name: "nope" });
  told.run = await call("RunJob", { job_name: "nightly" });
  told.runs = await call("ListRuns", { states: ["RUN_STATE_QUEUED"] });
  told.watched = await new Promise((resolve) => {
    const watch = client.WatchScheduler({ job_names: ["nightly"] });
    watch.once("data", (answer) => {
      watch.cancel();
      resolve(answer);
    });
    watch.on("error", () => undefined);
  });
  console.log(JSON.stringify(told));
  client.close();
}

main();
