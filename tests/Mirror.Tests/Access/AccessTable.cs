namespace Mirror.Tests.Access;

/// <summary>What an endpoint is asked to do with what: each who of the table has one answer to it.</summary>
internal enum Asked
{
    Nothing,
    Ping,
    Pull,
    Push,
    Delete,
    List,
    Secret,
    Public,
    Token,
}

/// <summary>One who of the table, with the status that it gets; 0 stands for the status that the endpoint has for who may.</summary>
internal sealed record Who(string Name, int Ping, int Pull, int Push, int Delete, int List, int Secret, int Public, int Token)
{
    public int StatusOf(Asked asked, int allowed)
    {
        var status = asked switch
        {
            Asked.Nothing => 0,
            Asked.Ping => Ping,
            Asked.Pull => Pull,
            Asked.Push => Push,
            Asked.Delete => Delete,
            Asked.List => List,
            Asked.Secret => Secret,
            Asked.Public => Public,
            Asked.Token => Token,
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        return status == 0 ? allowed : status;
    }
}

/// <summary>One endpoint of the table.</summary>
/// <param name="Route">What the registry's API calls it; null where it is not part of that.</param>
/// <param name="Method">GET, PUT and so on.</param>
/// <param name="Path">{tag}, {digest}, {layer} and {upload} stand for what is there, and {team} for a repository of our own.</param>
/// <param name="Asked">What for.</param>
/// <param name="Allowed">The status for who may.</param>
internal sealed record Endpoint(string? Route, string Method, string Path, Asked Asked, int Allowed);

internal static class AccessTable
{
    public static readonly Endpoint[] Endpoints =
    [
        new(null, "GET", "/", Asked.Nothing, 200),
        new(null, "GET", "/healthz", Asked.Nothing, 200),
        new(null, "GET", "/readyz", Asked.Nothing, 200),
        new(null, "GET", "/token?service=mirror&scope=repository:team-a/app:pull", Asked.Token, 200),
        new("Ping", "GET", "/v2/", Asked.Ping, 200),
        new("Ping", "HEAD", "/v2/", Asked.Ping, 200),
        new("Ping", "GET", "/v1/_ping", Asked.Ping, 200),
        new("Catalog", "GET", "/v2/_catalog", Asked.List, 200),
        new("Catalog", "HEAD", "/v2/_catalog", Asked.List, 200),
        new("Search", "GET", "/v1/search?q=app", Asked.List, 200),
        new("Search", "HEAD", "/v1/search?q=app", Asked.List, 200),
        new("Manifest", "GET", "/v2/{team}/manifests/{tag}", Asked.Pull, 200),
        new("Manifest", "HEAD", "/v2/{team}/manifests/{tag}", Asked.Pull, 200),
        new("Manifest", "GET", "/v2/{team}/manifests/{digest}", Asked.Pull, 200),
        new("Manifest", "GET", "/v2/{team}/manifests/none", Asked.Pull, 404),
        new("Manifest", "PUT", "/v2/{team}/manifests/{tag}", Asked.Push, 201),
        new("Manifest", "DELETE", "/v2/{team}/manifests/{tag}", Asked.Delete, 202),
        new("Manifest", "DELETE", "/v2/{team}/manifests/{digest}", Asked.Delete, 202),
        new("Blob", "GET", "/v2/{team}/blobs/{layer}", Asked.Pull, 200),
        new("Blob", "HEAD", "/v2/{team}/blobs/{layer}", Asked.Pull, 200),
        new("Blob", "DELETE", "/v2/{team}/blobs/{layer}", Asked.Delete, 202),
        new("Tags", "GET", "/v2/{team}/tags/list", Asked.Pull, 200),
        new("Tags", "HEAD", "/v2/{team}/tags/list", Asked.Pull, 200),
        new("Referrers", "GET", "/v2/{team}/referrers/{digest}", Asked.Pull, 200),
        new("Referrers", "HEAD", "/v2/{team}/referrers/{digest}", Asked.Pull, 200),
        new("Uploads", "POST", "/v2/{team}/blobs/uploads/", Asked.Push, 202),
        new("Uploads", "POST", "/v2/{team}/blobs/uploads/?mount={layer}&from={team}", Asked.Push, 201),
        new("Upload", "GET", "{upload}", Asked.Push, 204),
        new("Upload", "PATCH", "{upload}", Asked.Push, 202),
        new("Upload", "PUT", "{upload}?digest={empty}", Asked.Push, 201),
        new("Upload", "DELETE", "{upload}", Asked.Push, 204),
        new("Manifest", "GET", "/v2/docker.io/secret/app/manifests/3.20", Asked.Secret, 200),
        new("Manifest", "HEAD", "/docker.io/v2/secret/app/manifests/3.20", Asked.Secret, 200),
        new("Tags", "GET", "/v2/secret/app/tags/list?ns=docker.io", Asked.Secret, 200),
        new("Manifest", "GET", "/v2/library/alpine/manifests/3.20", Asked.Public, 200),
        new("Manifest", "GET", "/docker.io/v2/library/alpine/manifests/3.20", Asked.Public, 200),
        new("Tags", "GET", "/v2/library/alpine/tags/list?ns=docker.io", Asked.Public, 200),
    ];

    /// <summary>Of alice, bob, ci, root and eve, rules say what <see cref="AccessScene.Rules"/> does; whoever is at 127.0.0.2 may pull team-a.</summary>
    public static readonly Who[] Whos =
    [
        //                                              ping pull push delete list secret public token
        new("nobody in particular",                      401, 401, 401, 401,   0, 404,   0,   0),
        new("nobody in particular, inside",              401,   0, 401, 401,   0, 404,   0,   0),
        new("a wrong password",                          401, 401, 401, 401, 401, 401, 401, 401),
        new("a wrong password, inside",                  401, 401, 401, 401, 401, 401, 401, 401),
        new("eve",                                         0, 403, 403, 403,   0, 404,   0,   0),
        new("bob",                                         0,   0, 403, 403,   0,   0,   0,   0),
        new("ci",                                          0,   0,   0, 403,   0, 404,   0,   0),
        new("alice",                                       0,   0,   0,   0,   0, 404,   0,   0),
        new("root",                                        0,   0,   0,   0,   0,   0,   0,   0),
        new("alice's token",                               0,   0,   0,   0, 401, 404,   0, 401),
        new("alice's token for pulling",                   0,   0, 401, 401, 401, 404,   0, 401),
        new("alice's token for pushing",                   0,   0,   0, 401, 401, 404,   0, 401),
        new("alice's token for lists",                     0, 401, 401, 401,   0, 404,   0, 401),
        new("alice's token for nothing",                   0, 401, 401, 401, 401, 404,   0, 401),
        new("eve's token",                                 0, 403, 403, 403, 401, 404,   0, 401),
        new("nobody's token",                              0, 401, 401, 401, 401, 404,   0, 401),
        new("an expired token",                          401, 401, 401, 401, 401, 401, 401, 401),
        new("a refresh token",                           401, 401, 401, 401, 401, 401, 401, 401),
        new("another issuer's token",                      0,   0,   0,   0, 401,   0,   0, 401),
        new("another issuer's token for pulling",          0,   0, 401, 401, 401, 404,   0, 401),
        new("another issuer's token for nothing",          0, 401, 401, 401, 401, 404,   0, 401),
        new("another issuer's token for another service", 401, 401, 401, 401, 401, 401, 401, 401),
        new("another issuer's expired token",            401, 401, 401, 401, 401, 401, 401, 401),
        new("a token of alg none",                       401, 401, 401, 401, 401, 401, 401, 401),
        new("a token with its own key",                  401, 401, 401, 401, 401, 401, 401, 401),
        new("a token signed with the public key",        401, 401, 401, 401, 401, 401, 401, 401),
        new("alice's certificate",                         0,   0,   0,   0,   0, 404,   0,   0),
        new("another authority's certificate",           400, 400, 400, 400, 400, 400, 400, 400),
    ];
}
