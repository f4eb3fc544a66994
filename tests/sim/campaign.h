/* campaign.h - clients that work against a cluster all at once, and what their histories must show.
 *
 * Each statement's outcome is noted; a statement without an answer may have happened or not. What
 * is checked, in the terms of a client:
 *  1. An acknowledged row is there; no row is there twice; what was refused is not there.
 *  2. A read sees every increment acknowledged before it began, and every one that an earlier read
 *     saw; an increment counts once.
 *  3. Money is moved, never made: every sum of all accounts is the same.
 *  4. Two transactions that each check what the other writes do not both go through (write skew),
 *     nor two that each find nothing and insert (phantoms).
 *  5. After a table was made anew, nobody reads by its old descriptor.
 *  6. In the end all nodes hold the same bytes. */
#ifndef CAIRN_CAMPAIGN_H
#define CAIRN_CAMPAIGN_H

#include "sim_cluster.h"

struct campaign;

/* Makes the tables. */
struct campaign *campaign_new(struct sim_cluster *cluster, size_t workers);
void campaign_free(struct campaign *campaign);
/* Lets the clients work for so long; `working` false: they only finish what they began. */
void campaign_run(struct campaign *campaign, uint64_t duration_ns, bool working);
/* With all nodes up and no fault left: reads everything through each node. */
void campaign_check(struct campaign *campaign);
/* Acknowledged transactions. */
uint64_t campaign_acknowledged(const struct campaign *campaign);
void campaign_print(const struct campaign *campaign);

#endif
