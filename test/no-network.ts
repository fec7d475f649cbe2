// Unit and simulation tests never leave the process: a request nobody mocked fails instead of reaching a network.
import { MockAgent, setGlobalDispatcher } from "undici";

const agent = new MockAgent();
agent.disableNetConnect();
setGlobalDispatcher(agent);
