using Microsoft.AspNetCore.Http;
using Mirror.Storage;

namespace Mirror.Access;

/// <summary>Whether a rule names the client of a request as a reader of a repository.</summary>
public delegate bool NamesReader(HttpContext http, RepositoryKey repository);
