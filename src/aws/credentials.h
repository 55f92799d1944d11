/* credentials.h -- where the credentials for AWS come from, in the order of AWS's own programs:
 *
 *   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where set, AWS_SESSION_TOKEN (Lambda, CI)
 *   2. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, exchanged at STS (EKS, by IRSA)
 *   3. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS; EKS Pod Identity)
 *   4. EC2's instance metadata, version 2, unless AWS_EC2_METADATA_DISABLED
 *
 * The first that is configured is the one; where it fails, no later one is tried: it would be
 * another identity. Shared files (~/.aws) are a person's, not a job's. What expires is renewed five
 * minutes before. Safe to use from several threads. */
#ifndef OTLPULL_AWS_CREDENTIALS_H
#define OTLPULL_AWS_CREDENTIALS_H

#include "aws/answer.h"
#include "aws/aws.h"

struct credentials_source;

struct credentials_options {
    struct aws_options aws; /* its getenv is asked by credentials_create() alone */
    const char *sts;        /* URL of STS; copied */
    const char *ca_file;    /* copied; NULL: the system's */
};

/* ERR_CONFIG: variables that make no sense together. Makes no call. */
struct credentials_source *credentials_create(const struct credentials_options *options,
                                              struct error *err);
void credentials_destroy(struct credentials_source *s);

/* A copy of the credentials to use now, in `out`; fetches them where there are none, or they are
 * about to expire, or `refused` (NULL: none were), which AWS called expired, are still the latest.
 *   ERR_CONFIG    there are none to be found, or a variable makes no sense
 *   ERR_AUTH      they were refused to us, or `refused` cannot be renewed
 *   ERR_RETRY     whoever gives them cannot be reached or fails, past retries
 *   ERR_DEADLINE, ERR_STOPPED */
int credentials_get(struct credentials_source *s, const struct credentials *refused,
                    struct credentials *out, int64_t deadline_mono_ns, struct error *err);

#endif
