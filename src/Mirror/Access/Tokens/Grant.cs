using Mirror.Configuration;

namespace Mirror.Access.Tokens;

public sealed record Grant(Rights Rights)
{
    public bool Catalog => Rights != Rights.None;

    public Rights RightsOf(string name) => name.Length > 0 ? Rights : Rights.None;
}
