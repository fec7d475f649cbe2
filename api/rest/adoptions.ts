// POST /api/adoptions: instances made anew from machines that carry their uid, when the database that knew them is gone.
// What is not clear is skipped and said; it may be asked again as often as one likes.
import { z } from "zod";
import { type Api, type ApiContext, type ApiOptions, endOf } from "../api.ts";
import { HttpError } from "../http-error.ts";
import { mount } from "../kube/resources.ts";
import { restBody } from "./rest-body.ts";

const newAdoption = z.strictObject({
  /** Every machine of the app that carries an instance's uid. */
  all: z.literal(true).optional(),
  /** Or these. */
  machines: z.array(z.string().min(1)).min(1).max(1000).optional(),
  namespace: z.string().min(1).optional(),
  controllers: z.array(z.string().min(1)).max(100).default([]),
  dryRun: z.boolean().default(false),
});

export function mountAdoptions(api: Api, options: ApiOptions): void {
  mount(api, "/api/adoptions", {
    post: async (c: ApiContext) => {
      const { all, ...request } = await restBody(c, newAdoption);
      if ((all === undefined) === (request.machines === undefined))
        throw new HttpError("BadRequest", "say which machines: all (true), or machines (a list of ids)");
      if (!options.adopt)
        throw new HttpError("Conflict", "this server has no controllers (CONTROLLERS=none), so it sees no machines");
      return c.json({ items: await options.adopt(request, endOf(c)) });
    },
  });
}
