// Lists a server's services and asks for the status, knowing nothing but its address: all else is
// told by reflection: node reflect.js ADDRESS
const grpc = require("@grpc/grpc-js");
const { Client } = require("grpc-reflection-js");

const address = process.argv[2];
const credentials = grpc.credentials.createInsecure();

async function main() {
  const reflection = new Client(address, credentials);
  const services = await reflection.listServices();
  const root = await reflection.fileContainingSymbol("memory.MemoryService");
  root.resolveAll();
  const service = root.lookupService("memory.MemoryService");
  const client = new grpc.Client(address, credentials);
  const status = await call(client, service, "GetSchedulerStatus", {});
  console.log(JSON.stringify({ services, calls: Object.keys(service.methods), status }));
  client.close();
  reflection.grpcClient.close();
}

function call(client, service, name, request) {
  const { resolvedRequestType: asked, resolvedResponseType: answered } = service.methods[name];
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      `/memory.MemoryService/${name}`,
      (message) => Buffer.from(asked.encode(message).finish()),
      (bytes) => answered.toObject(answered.decode(bytes), { enums: String, longs: Number }),
      asked.create(request),
      (error, answer) => (error ? reject(error) : resolve(answer))
    )
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
